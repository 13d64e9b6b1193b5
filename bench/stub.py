"""A provider stub without latency: OpenAI's chat completions, plain and streamed, and the bill for them.

A raw asyncio protocol on uvloop, because stub and load share a core and must not become what is measured:
a stream's chunks leave in one write (8 µs; 22 writes take 100), unless `--spread` asks for each alone.

    python -m bench.stub --port 9000 [--chunks 20] [--spread]
"""

import argparse
import asyncio
import json
import re
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

PROMPT_TOKENS = 60
COMPLETION_TOKENS = 20
USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}
ANSWER = "Twenty small words of an answer that says nothing new, so that every call costs the very same here."

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
STREAM = re.compile(rb'"stream"\s*:\s*true')
CHUNKED_END = b"0\r\n\r\n"


@dataclass(kw_only=True)
class Bill:
    """What a provider would charge for: counted here, compared with the gateway's ledger."""

    calls: int = 0
    streams: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, *, streamed: bool) -> None:
        self.calls += 1
        self.streams += streamed
        self.prompt_tokens += PROMPT_TOKENS
        self.completion_tokens += COMPLETION_TOKENS


@dataclass(kw_only=True)
class Stub:
    """The prepared answers and the bill, shared by all connections."""

    chunks: int = 20
    spread: bool = False
    bill: Bill = field(default_factory=Bill)
    plain: bytes = field(init=False)
    stream: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.plain = response(json.dumps(completion()).encode())
        pieces = [STREAM_HEAD, *(chunked(event(part)) for part in parts(self.chunks)), CHUNKED_END]
        self.stream = pieces if self.spread else [b"".join(pieces)]


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def completion() -> dict[str, object]:
    message = {"role": "assistant", "content": ANSWER, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return envelope("chat.completion") | {"choices": [choice], "usage": USAGE}


def parts(count: int) -> list[dict[str, object]]:
    """A stream's events: `count` pieces of text, then the usage."""
    texts = [delta({"content": f" word{index:02}"}, None) for index in range(count - 1)]
    return [*texts, delta({}, "stop"), envelope("chat.completion.chunk") | {"choices": [], "usage": USAGE}]


def delta(content: dict[str, str], finish: str | None) -> dict[str, object]:
    choice = {"index": 0, "delta": content, "logprobs": None, "finish_reason": finish}
    return envelope("chat.completion.chunk") | {"choices": [choice]}


def envelope(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-bench", "object": kind, "created": 1_700_000_000, "model": "bench"}


def event(part: dict[str, object]) -> bytes:
    text = json.dumps(part, separators=(",", ":")).encode()
    return b"data: " + text + b"\n\n" + (b"data: [DONE]\n\n" if part.get("usage") else b"")


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def response(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests may arrive in pieces or several at once."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.pending = b""
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.pending = self.pending + data if self.pending else data
        while (head := self.pending.find(b"\r\n\r\n")) >= 0:
            end = request_end(self.pending, head + 2)
            if end is None:
                return
            request, self.pending = self.pending[:end], self.pending[end:]
            self.answer(request)

    def answer(self, request: bytes) -> None:
        if request.startswith(b"POST /v1/chat/completions"):
            streamed = STREAM.search(request) is not None
            self.stub.bill.add(streamed=streamed)
            self.relay(self.stub.stream) if streamed else self.write(self.stub.plain)
        elif request.startswith(b"GET /bill"):
            self.write(response(json.dumps(asdict(self.stub.bill)).encode()))
        elif request.startswith(b"GET /v1/models"):
            self.write(response(b'{"object":"list","data":[{"id":"bench","object":"model"}]}'))
        else:
            self.write(response(b'{"error":{"message":"no such path"}}', "404 Not Found"))

    def relay(self, pieces: list[bytes]) -> None:
        """Write one piece a turn of the loop, so that pieces travel apart as a slow model's do."""
        self.write(pieces[0])
        if len(pieces) > 1:
            asyncio.get_running_loop().call_soon(self.relay, pieces[1:])

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)


def request_end(data: bytes, head: int) -> int | None:
    """Where the first request in `data` ends, None while it is incomplete; `head` ends its last header."""
    if length := CONTENT_LENGTH.search(data, 0, head):
        end = head + 2 + int(length[1])
        return end if len(data) >= end else None
    if CHUNKED.search(data, 0, head):
        last = data.find(b"\r\n" + CHUNKED_END, head)
        return last + 2 + len(CHUNKED_END) if last >= 0 else None
    return head + 2


async def serve(stub: Stub, host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stub), host, port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A provider stub without latency.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--chunks", type=int, default=20, help="pieces of text in a stream")
    parser.add_argument("--spread", action="store_true", help="send the chunks of a stream one by one")
    asked = parser.parse_args()
    uvloop.run(serve(Stub(chunks=asked.chunks, spread=asked.spread), asked.host, asked.port))


if __name__ == "__main__":
    main()
