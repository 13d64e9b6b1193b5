"""Turnstiles to test: of one process, and of all on one Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, suppress
from typing import Any

import pytest
from redis import Redis

from gateway.ports import Turnstile
from gateway.turnstile import MemoryTurnstile
from providers.turns.redis import RedisTurnstile
from tests.support.clock import FakeClock
from tests.support.turns import WITHIN

Open = Callable[..., Awaitable[RedisTurnstile]]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until it is turned."""
    return FakeClock()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The session's database."""
    with closing(Redis.from_url(redis_url, protocol=2)) as client:
        yield client
        for key in client.scan_iter("gw:{q:*", count=1_000):
            client.delete(key)


@pytest.fixture
async def opened(redis_url: str) -> AsyncIterator[Open]:
    """Opens turnstiles on Redis, each as another process would. One that nobody tends is dead to Redis."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str = redis_url, *, tended: bool = True, **options: Any) -> RedisTurnstile:
            turnstile = RedisTurnstile(url, **options)
            stack.push_async_callback(turnstile.close)
            if not tended:
                return turnstile
            tending = asyncio.ensure_future(turnstile.tend())
            stack.push_async_callback(_ended, tending)
            async with asyncio.timeout(WITHIN):
                await turnstile.news.listens.wait()
            return turnstile

        yield open_one


@pytest.fixture(params=["memory", "redis"])
async def turnstile(request: pytest.FixtureRequest, opened: Open, clock: FakeClock) -> Turnstile:
    """One of each kind; its time is the clock's."""
    if request.param == "memory":
        return MemoryTurnstile(clock)
    request.getfixturevalue("redis")
    return await opened(clock=clock)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
