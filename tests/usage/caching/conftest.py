"""Stores of kept answers, each kind as several processes have it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing

import pytest
from redis import Redis

from gateway.caching.memory import MemoryCache
from gateway.ports import Cache
from tests.support.clock import FakeClock
from usage.caching.redis import RedisCache

BYTES_AT_MOST = 10_000
OpenCache = Callable[..., RedisCache]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until it is turned."""
    return FakeClock()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The session's database, in which nothing is kept."""
    with closing(Redis.from_url(redis_url, protocol=2)) as client:
        forget_answers(client)
        yield client
        forget_answers(client)


def forget_answers(client: Redis) -> None:
    """Leave nothing of any cache."""
    for key in client.scan_iter("gw-cache:*", count=1_000):
        client.delete(key)


@pytest.fixture
async def opened(redis_url: str, redis: Redis, clock: FakeClock) -> AsyncIterator[OpenCache]:
    """The cache on Redis, each time another process's."""
    async with AsyncExitStack() as stack:

        def open_cache(url: str = redis_url, entries_at_most: int = 0) -> RedisCache:
            cache = RedisCache(url, clock=clock, bytes_at_most=BYTES_AT_MOST, entries_at_most=entries_at_most)
            stack.push_async_callback(cache.close)
            return cache

        yield open_cache


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest, clock: FakeClock, opened: OpenCache) -> Cache:
    """Each kind."""
    return opened() if request.param == "redis" else MemoryCache(clock, bytes_at_most=BYTES_AT_MOST)
