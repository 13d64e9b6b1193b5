"""Providers that take their time."""

import asyncio

from tests.support.provider_scripts import (
    CHUNKED_END,
    COMPLETION_TOKENS,
    DONE,
    PIECES,
    PROMPT_TOKENS,
    chunked,
    completion,
    delta,
    event,
    replies,
    stream_head,
    streams,
)
from tests.support.provider_stub import Gate, Script, Turn

_PLAIN: Script = replies(completion(), gated=True)
_STREAMED: Script = streams(gated=True)


async def answer_in_time(turn: Turn) -> None:
    """Take the seconds that the request's `seconds` says; a stream's pieces are spread over them."""
    loop = asyncio.get_running_loop()
    turn.gate = Gate(loop)
    is_streamed, seconds = turn.heard.member("stream"), turn.heard.member("seconds")
    places = 1 + len(PIECES) if is_streamed else 1
    for place in range(1, places + 1):
        loop.call_later(seconds * place / places, turn.gate.open)
    await (_STREAMED if is_streamed else _PLAIN)(turn)


def pours(bytes_in_all: int, piece: int = 65_536) -> Script:
    """A stream of so many bytes of text, as fast as the gateway takes it."""

    async def script(turn: Turn) -> None:
        turn.write(stream_head())
        data = chunked(event(delta("x" * piece)))
        while turn.heard.sent < bytes_in_all:
            await turn.room()
            turn.write(data)
            turn.heard.sent += piece
            await asyncio.sleep(0)
        turn.complete(chunked(DONE) + CHUNKED_END)

    return script


async def break_off(turn: Turn) -> None:
    """Do the whole work, to be paid for, and then close the connection before anybody sees it."""
    turn.complete(b"", prompt_tokens=PROMPT_TOKENS, completion_tokens=COMPLETION_TOKENS)
    turn.cut()


class Crowding:
    """Answers as well, and counts whom it has at the same time."""

    def __init__(self) -> None:
        self.most = 0
        self._inside = 0

    async def __call__(self, turn: Turn) -> None:
        self._inside += 1
        self.most = max(self.most, self._inside)
        try:
            await answer_in_time(turn)
        finally:
            self._inside -= 1
