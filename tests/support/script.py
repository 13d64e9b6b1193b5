"""A provider that follows a script, and a caller who writes down what comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway.call import Event, Served
from gateway.exchange import Request
from gateway.memory import CannedAnswer
from gateway.ports import Answer

Act = Callable[[Request], Awaitable[Answer]]
Piece = bytes | Exception | asyncio.Event


def answers(body: bytes, status: int = 200, **headers: str) -> Act:
    """The provider answers whole."""

    async def act(_: Request) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return CannedAnswer(status, {"content-type": "application/json"} | names, [body])

    return act


def completes(text: str = "hello", prompt: int = 10, completion: int = 5) -> Act:
    """The provider answers a chat, and counts its tokens."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}}]
    return answers(msgspec.json.encode({"choices": choices, "usage": usage}))


def waits(event: asyncio.Event, act: Act) -> Act:
    """The provider does that after the event."""

    async def waiting(request: Request) -> Answer:
        await event.wait()
        return await act(request)

    return waiting


def fails(error: Exception) -> Act:
    """The provider cannot be reached, or does not answer."""

    async def act(_: Request) -> Answer:
        raise error

    return act


def hangs() -> Act:
    """The provider never answers."""

    async def act(_: Request) -> Answer:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never comes

    return act


def streams(*pieces: Piece) -> Act:
    """The provider streams: bytes go out, an event is waited for, an exception ends it."""

    async def act(_: Request) -> Answer:
        return _Stream(pieces)

    return act


def chunk(**delta: Any) -> bytes:
    """An event of a streamed chat."""
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def event(data: Mapping[str, Any]) -> bytes:
    """An event with JSON in it."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


ROLE = chunk(role="assistant", content="")
USAGE = event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})
DONE = b"data: [DONE]\n\n"


class _Stream:
    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.status = 200
        self.headers = {"content-type": "text/event-stream"}
        self._pieces = list(pieces)

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is left; who stops listening and listens again misses nothing."""
        while self._pieces:
            await asyncio.sleep(0)
            piece = self._pieces[0]
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            del self._pieces[0]
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece


class Script:
    """A transport that plays one act a request; the last is repeated."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[Request] = []

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Answer]:
        """Play the next act."""
        self.requests.append(request)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        await asyncio.sleep(0)
        yield await act(request)

    @property
    def hosts(self) -> list[str]:
        """The providers that were asked, in turn."""
        return [request.url.split("//")[1].split(".")[0] for request in self.requests]


class Listener:
    """A relay that writes down what comes."""

    def __init__(self) -> None:
        self.served: Served | None = None
        self.heard: list[bytes] = []

    async def start(self, served: Served) -> None:
        """The answer is committed."""
        assert self.served is None
        self.served = served
        await asyncio.sleep(0)

    async def send(self, event: Event) -> None:
        """A piece of it."""
        assert self.served is not None
        self.heard.append(event.data)
        await asyncio.sleep(0)
