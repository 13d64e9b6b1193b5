"""The load: keep-alive connections that each ask, wait for the whole answer, and ask again.

Our own, on a raw protocol: wrk cannot vary the prompt without a script, nor tell a whole stream from a cut
one. A run bounded by time lets its last answers finish, so that no call is cut and each can be accounted for.

    python -m bench.load --url http://127.0.0.1:9001/v1/chat/completions --connections 32 --seconds 4 --stream
"""

import argparse
import asyncio
import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop

PROMPT_BYTES = 200
FILLER = "Please compare the two offers for next spring and tell me in plain words which one costs less. " * 3
STREAM_END = b"0\r\n\r\n"
GRACE_SECONDS = 10.0


@dataclass(kw_only=True, frozen=True)
class Plan:
    """What to ask, of whom, and for how long: until `seconds` have passed or `calls` were made."""

    url: str
    key: str = "bench"
    model: str = "bench"
    connections: int = 1
    seconds: float = 4.0
    calls: int | None = None
    warmup: float = 0.5
    stream: bool = False
    again: bool = False


@dataclass(kw_only=True, frozen=True)
class Outcome:
    """One run's figures; `total` counts the warm-up too, `cpu_seconds` is what the load itself took."""

    calls: int
    total: int
    errors: int
    calls_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float
    first_error: str | None


@dataclass(kw_only=True)
class Tally:
    """What all connections record, and when they must stop."""

    begin: float
    end: float
    remaining: float
    latencies: list[float] = field(default_factory=list)
    last: float = 0.0
    total: int = 0
    errors: int = 0
    first_error: str | None = None

    def go_on(self, now: float) -> bool:
        if now >= self.end or self.remaining <= 0:
            return False
        self.remaining -= 1
        return True

    def answered(self, sent: float, now: float) -> None:
        self.total += 1
        if sent >= self.begin:
            self.latencies.append(now - sent)
            self.last = now

    def failed(self, why: str) -> None:
        self.total += 1
        self.errors += 1
        self.first_error = self.first_error or why


class Requests:
    """Renders requests of one fixed length: each with a prompt of its own, or all with one."""

    def __init__(self, plan: Plan) -> None:
        mark = "@" * PROMPT_BYTES
        body = {"model": plan.model, "messages": [{"role": "user", "content": mark}], "max_tokens": 100}
        if plan.again:
            body["temperature"] = 0
        text = json.dumps(body | {"stream": True} if plan.stream else body)
        before, after = text.split(mark)
        target = urlsplit(plan.url)
        head = (
            f"POST {target.path} HTTP/1.1\r\nhost: {target.netloc}\r\nauthorization: Bearer {plan.key}\r\n"
            f"content-type: application/json\r\naccept: */*\r\ncontent-length: {len(text)}\r\n\r\n"
        )
        self.before, self.after = (head + before).encode(), after.encode()
        self.run = secrets.token_hex(8)
        self.count, self.step = 0, 0 if plan.again else 1

    def next(self) -> bytes:
        self.count += self.step
        return b"%b%b%b" % (
            self.before,
            f"{self.run}-{self.count:09} {FILLER}"[:PROMPT_BYTES].encode(),
            self.after,
        )


class Connection(asyncio.Protocol):
    """One caller: a request in flight at a time, until the tally says enough."""

    def __init__(self, requests: Requests, tally: Tally) -> None:
        self.requests, self.tally = requests, tally
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = b""
        self.sent: float | None = None
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.ask(time.perf_counter())

    def ask(self, now: float) -> None:
        assert self.transport is not None
        if self.tally.go_on(now):
            self.sent = now
            self.transport.write(self.requests.next())
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.received = self.received + data if self.received else data
        if self.sent is None or not complete(self.received):
            return
        answer, sent, now = self.received, self.sent, time.perf_counter()
        self.received, self.sent = b"", None
        if why := fault(answer):
            self.tally.failed(why)
        else:
            self.tally.answered(sent, now)
        self.ask(now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.sent is not None:
            self.tally.failed(f"connection lost: {exc or 'closed by the server'}")
        if not self.done.done():
            self.done.set_result(None)


def complete(answer: bytes) -> bool:
    """Whether a whole response has come; only one is ever in flight, so it can be judged by its end."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    headers = answer[: head + 2].lower()
    at = headers.find(b"\r\ncontent-length:")
    if at < 0:
        return answer.endswith(STREAM_END)
    at += len(b"\r\ncontent-length:")
    return len(answer) >= head + 4 + int(headers[at : headers.index(b"\r\n", at)])


def fault(answer: bytes) -> str | None:
    """Why an answer does not count, or None: not a 200, or a stream without its last event."""
    if not answer.startswith(b"HTTP/1.1 200"):
        return answer[:400].decode(errors="replace")
    if b"text/event-stream" in answer[:400] and b"data: [DONE]" not in answer:
        return "a stream ended without [DONE]"
    return None


async def caller(plan: Plan, requests: Requests, tally: Tally) -> None:
    """Keep one connection busy, opening another when the server closes it."""
    loop = asyncio.get_running_loop()
    target = urlsplit(plan.url)
    host, port = target.hostname or "127.0.0.1", target.port or 80
    while time.perf_counter() < tally.end and tally.remaining > 0:
        _, connection = await loop.create_connection(lambda: Connection(requests, tally), host, port)
        await connection.done


async def run(plan: Plan) -> Outcome:
    requests = Requests(plan)
    begin = time.perf_counter() + (0 if plan.calls else plan.warmup)
    end = float("inf") if plan.calls else begin + plan.seconds
    tally = Tally(begin=begin, end=end, remaining=plan.calls or float("inf"))
    async with asyncio.timeout(None if plan.calls else plan.warmup + plan.seconds + GRACE_SECONDS):
        await asyncio.gather(*(caller(plan, requests, tally) for _ in range(plan.connections)))
    return outcome(tally)


def outcome(tally: Tally) -> Outcome:
    latencies = sorted(tally.latencies)
    count = len(latencies)
    return Outcome(
        calls=count,
        total=tally.total,
        errors=tally.errors,
        calls_per_second=count / (tally.last - tally.begin) if count else 0.0,
        p50_ms=1000 * latencies[count // 2] if count else 0.0,
        p99_ms=1000 * latencies[count * 99 // 100] if count else 0.0,
        cpu_seconds=time.process_time(),
        first_error=tally.first_error,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Load on one door; prints its figures as JSON.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", default="bench")
    parser.add_argument("--model", default="bench")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--calls", type=int, help="stop after so many calls instead of after a time")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds that are not counted")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--again", action="store_true", help="the same prompt every time")
    print(json.dumps(asdict(uvloop.run(run(Plan(**vars(parser.parse_args())))))))


if __name__ == "__main__":
    main()
