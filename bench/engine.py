"""What one call costs in the engine alone: memory ports, no network, a provider that is a constant.

python -m bench.engine [--calls 20000] [--together 32] [--profile]
"""

import argparse
import asyncio
import cProfile
import pstats
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Literal

from gateway.accounts import Account
from gateway.caching.memory import MemoryCache
from gateway.call import Ask, Call, Event, Origin, Served
from gateway.catalog import Deployment, Model, Provider, Snapshot
from gateway.exchange import Request
from gateway.ids import uuid7
from gateway.members import read_members
from gateway.memory import (
    GlassVault,
    LocalTransport,
    MemoryBooks,
    MemoryCatalog,
    MemoryDirectory,
    MemorySpill,
    NoCache,
    SystemClock,
)
from gateway.pipeline import Gateway
from gateway.pricing import Price, PriceCard, make_sheet
from gateway.principal import Principal
from gateway.sse import encode_event

Case = Literal["plain", "streamed", "again"]

ROUNDS = 5
_NAMES: Mapping[Case, str] = {
    "plain": "plain",
    "streamed": "streamed, 20 chunks",
    "again": "told again by the cache",
}
_FLAGS: Mapping[Case, bytes] = {
    "plain": b"",
    "streamed": b',"stream":true',
    "again": b',"temperature":0',
}
_PROMPT = "x" * 200
_USAGE = b'"usage":{"prompt_tokens":50,"completion_tokens":20,"total_tokens":70}'
_WHOLE = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Fine words."},"finish_reason":"stop"}],%b}' % _USAGE
)
_DELTA = encode_event(b'{"id":"c","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}')
_END = encode_event(b'{"id":"c","choices":[],%b}' % _USAGE) + encode_event(b"[DONE]")


class Nowhere:
    """A caller who reads a stream and keeps nothing."""

    async def start(self, served: Served) -> None:
        """Nothing to send."""

    async def send(self, event: Event) -> None:
        """Nothing to send."""


def respond(request: Request) -> tuple[int, dict[str, str], Sequence[bytes]]:
    """A provider's constant answer."""
    if b'"stream":true' in request.body:
        return 200, {"content-type": "text/event-stream"}, [_DELTA * 20 + _END]
    return 200, {"content-type": "application/json"}, [_WHOLE]


def build_gateway(*, keeps: bool) -> Gateway:
    """The engine with limits, a budget and prices, everything in memory."""
    sheet = make_sheet({"input": Price(pico=150_000, row=1), "output": Price(pico=600_000, row=2)})
    card = PriceCard(version="bench", sheets=(sheet,))
    provider = Provider(id=uuid7(), name="bench", wire="openai", base_url="http://bench/v1")
    deployment = Deployment(id=uuid7(), provider=provider, upstream="bench", cards=(card,))
    model = Model(name="bench", deployments=(deployment,), context_window=128_000, max_output=1_000)
    accounts = (
        Account(id="requests", scope="tenant", name="acme", unit="requests", limit=1 << 50, window="minute"),
        Account(id="tokens", scope="tenant", name="acme", unit="tokens", limit=1 << 50, window="minute"),
        Account(id="places", scope="tenant", name="acme", unit="concurrency", limit=1 << 50, window="none"),
        Account(id="money", scope="tenant", name="acme", unit="nano", limit=1 << 53, window="month"),
    )
    principal = Principal(tenant_id=uuid7(), tenant="acme", key_id=uuid7(), key="app", accounts=accounts)
    clock = SystemClock()
    transport = LocalTransport(respond)
    return Gateway(
        books=MemoryBooks(clock),
        spill=MemorySpill(),
        vault=GlassVault(),
        directory=MemoryDirectory({"key": principal}),
        catalog=MemoryCatalog(Snapshot(models={"bench": model}, aliases={}, defaults={})),
        cache=MemoryCache(clock) if keeps else NoCache(),
        clock=clock,
        transport_for=lambda _: transport,
    )


def make_call(gateway: Gateway, case: Case) -> Call:
    """A call as the lane would make it."""
    stream = case == "streamed"
    flag = _FLAGS[case]
    body = b'{"model":"bench","messages":[{"role":"user","content":"%b"}]%b}' % (_PROMPT.encode(), flag)
    ask = Ask(
        dialect="openai",
        kind="chat",
        format="openai",
        model="bench",
        body=body,
        members=read_members(body),
        stream=stream,
        wants_usage=not stream,
    )
    origin = Origin(credential="key", request_id="bench")
    return Call(id=uuid7(), ask=ask, origin=origin, started=gateway.clock.monotonic())


async def measure(calls: int, together: int, case: Case) -> float:
    """CPU microseconds a call."""
    gateway = build_gateway(keeps=case == "again")
    relay = Nowhere() if case == "streamed" else None
    if case == "again":
        await gateway.run(make_call(gateway, case))
        await gateway.recall.drain()
    began = time.process_time()
    for _ in range(calls // together):
        await asyncio.gather(*(gateway.run(make_call(gateway, case), relay) for _ in range(together)))
    return (time.process_time() - began) / (calls // together * together) * 1e6


def main() -> None:
    """Print the figures, or a profile of where they come from."""
    parser = argparse.ArgumentParser(description="CPU a call costs in the engine, without a network.")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--together", type=int, default=32, help="calls in flight at once")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    for case, name in _NAMES.items():
        with cProfile.Profile() if asked.profile else _Plain() as profile:
            rounds = [
                asyncio.run(measure(asked.calls // ROUNDS, asked.together, case)) for _ in range(ROUNDS)
            ]
        print(f"{name:24} {statistics.median(rounds):7.1f} µs of CPU a call (of {ROUNDS} rounds, the median)")
        if isinstance(profile, cProfile.Profile):
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)


class _Plain:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


if __name__ == "__main__":
    main()
