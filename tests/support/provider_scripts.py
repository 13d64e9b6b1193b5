"""What the provider stub can be told to do: one function a way to answer, or to fail at it."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from struct import pack
from typing import Any

from tests.support.provider_stub import Heard, Script, Turn

PROMPT_TOKENS = 11
COMPLETION_TOKENS = 7
USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}
PIECES = ("Hello", " wide", " world")
VECTOR = [0.25, -0.5]

_REASONS = {200: "OK", 307: "Temporary Redirect", 401: "Unauthorized", 429: "Too Many Requests"}
Headers = Sequence[tuple[str, str]]


async def answer_honestly(turn: Turn) -> None:
    """Answer whatever was asked, as a provider without trouble does."""
    if turn.heard.path.endswith("/embeddings"):
        await replies(_embeddings(turn.heard), completion_tokens=0)(turn)
    elif turn.heard.member("stream"):
        await streams()(turn)
    else:
        await replies(completion())(turn)


def replies(
    body: bytes,
    *,
    headers: Headers = (("content-type", "application/json"),),
    prompt_tokens: int = PROMPT_TOKENS,
    completion_tokens: int = COMPLETION_TOKENS,
    gated: bool = False,
) -> Script:
    """A whole answer of these very bytes."""

    async def script(turn: Turn) -> None:
        if gated:
            await turn.gate.passed()
        whole = head(200, [*headers, ("content-length", str(len(body)))]) + body
        turn.complete(whole, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)

    return script


def fails(status: int, *, headers: Headers = (), message: str = "out of order", code: str = "") -> Script:
    """An error in OpenAI's form."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": code or None}}).encode()

    async def script(turn: Turn) -> None:
        named = [("content-type", "application/json"), *headers, ("content-length", str(len(body)))]
        turn.write(head(status, named) + body)

    return script


async def fall_silent(turn: Turn) -> None:
    """Accept the request and say nothing, until the other side gives up."""
    await asyncio.get_running_loop().create_future()


async def cut_json(turn: Turn) -> None:
    """Promise a whole answer and close in the middle of it."""
    body = completion()
    turn.write(head(200, [("content-type", "application/json"), ("content-length", str(len(body)))]))
    turn.write(body[: len(body) // 2])
    turn.cut()


async def reset(turn: Turn) -> None:
    """Break the connection off before a word is said."""
    turn.reset()


def streams(
    pieces: Sequence[str] = PIECES,
    *,
    gated: bool = False,
    counts: bool = True,
    cut_after: int | None = None,
    error_after: int | None = None,
    silent_after: int | None = None,
) -> Script:
    """A stream of pieces of text; gated, each piece waits at the gate, and so does what comes after them.

    It counts its tokens if it was asked to, unless told not to; it may break off after some pieces,
    or send an error, or say nothing more.
    """

    async def script(turn: Turn) -> None:
        turn.write(stream_head())
        for piece in pieces[: _first(cut_after, error_after, silent_after)]:
            if gated:
                await turn.gate.passed()
            turn.write(chunked(event(delta(piece))))
        if gated:
            await turn.gate.passed()
        if cut_after is not None:
            turn.cut()
        elif error_after is not None:
            turn.write(chunked(ERROR) + CHUNKED_END)
        elif silent_after is not None:
            await fall_silent(turn)
        else:
            _end(turn, counts=counts and _asks_usage(turn.heard))

    return script


def streams_events(events: Sequence[bytes], *, gated: bool = False) -> Script:
    """A stream of these very bytes, one HTTP chunk each; gated, each waits at the gate."""

    async def script(turn: Turn) -> None:
        turn.write(stream_head())
        for one in events:
            if gated:
                await turn.gate.passed()
            turn.write(chunked(one))
        turn.complete(CHUNKED_END)

    return script


def completion(text: str = "Hello wide world", usage: Mapping[str, Any] | None = USAGE) -> bytes:
    """A chat completion's body."""
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    counted = {} if usage is None else {"usage": usage}
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "upstream"}
    return json.dumps({**told, "choices": choices, **counted}).encode()


def delta(text: str) -> bytes:
    """The data of one piece of a stream."""
    return chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}])


def chunk(choices: Sequence[Mapping[str, Any]], **members: Any) -> bytes:
    """The data of one event of a stream."""
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream"}
    return json.dumps({**told, "choices": choices, **members}).encode()


def event(data: bytes) -> bytes:
    """A server-sent event."""
    return b"data: " + data + b"\n\n"


def head(status: int, headers: Headers) -> bytes:
    """A status line and headers."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def stream_head() -> bytes:
    """How a stream begins."""
    return head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])


def chunked(data: bytes) -> bytes:
    """Bytes as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKED_END = b"0\r\n\r\n"
DONE = event(b"[DONE]")
ERROR = event(b'{"error":{"message":"overloaded","type":"server_error"}}')


def _first(*places: int | None) -> int | None:
    return next((place for place in places if place is not None), None)


def _end(turn: Turn, *, counts: bool) -> None:
    turn.write(chunked(event(chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))))
    if counts:
        turn.write(chunked(event(chunk([], usage=USAGE))))
    turn.complete(
        chunked(DONE) + CHUNKED_END, prompt_tokens=PROMPT_TOKENS, completion_tokens=COMPLETION_TOKENS
    )


def _asks_usage(heard: Heard) -> bool:
    return bool((heard.member("stream_options") or {}).get("include_usage"))


def _embeddings(heard: Heard) -> bytes:
    texts = heard.member("input")
    packed = b64encode(pack("<2f", *VECTOR)).decode()
    vector = packed if heard.member("encoding_format") == "base64" else VECTOR
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, _ in enumerate(texts if isinstance(texts, list) else [texts])
    ]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    return json.dumps(
        {"object": "list", "data": data, "model": heard.member("model"), "usage": usage}
    ).encode()
