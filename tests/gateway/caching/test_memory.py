"""The bounds of what one process keeps."""

from gateway.caching.memory import MemoryCache
from gateway.caching.values import Stored
from tests.support.clock import FakeClock
from tests.support.engine import OTHER_TENANT, TENANT


def stored(size: int, seconds: float = 60) -> Stored:
    answer = Stored(answer=b"", label=b"", saved_nano=1, seconds=seconds)
    return Stored(answer=b"x" * (size - answer.size), label=b"", saved_nano=1, seconds=seconds)


async def kept(cache: MemoryCache, *keys: str) -> list[bool]:
    return [(await cache.find(TENANT, key)).answer is not None for key in keys]


async def test_what_was_used_longest_ago_gives_way(clock: FakeClock) -> None:
    cache = MemoryCache(clock, bytes_at_most=3_000)
    for key in ("a", "b", "c"):
        await cache.keep(TENANT, key, stored(1_000))
    await cache.find(TENANT, "a")
    await cache.keep(TENANT, "d", stored(1_000))
    assert await kept(cache, "a", "b", "c", "d") == [True, False, True, True]
    assert (await cache.status(TENANT)).size == 3_000


async def test_what_is_more_than_all_there_may_be_is_not_kept(clock: FakeClock) -> None:
    cache = MemoryCache(clock, bytes_at_most=3_000)
    await cache.keep(TENANT, "a", stored(1_000))
    await cache.keep(TENANT, "b", stored(3_001))
    assert await kept(cache, "a", "b") == [True, False]


async def test_there_may_be_so_many(clock: FakeClock) -> None:
    cache = MemoryCache(clock, entries_at_most=2)
    for key in ("a", "b", "c"):
        await cache.keep(TENANT, key, stored(1_000))
    assert await kept(cache, "a", "b", "c") == [False, True, True]


async def test_one_tenants_answers_may_push_out_anothers_and_both_are_counted(clock: FakeClock) -> None:
    cache = MemoryCache(clock, bytes_at_most=2_000)
    await cache.keep(OTHER_TENANT, "a", stored(1_000))
    await cache.keep(TENANT, "a", stored(1_000))
    await cache.keep(TENANT, "b", stored(1_000))
    assert [(await cache.status(one)).entries for one in (TENANT, OTHER_TENANT)] == [2, 0]


async def test_old_ones_are_dropped_though_nobody_asks_for_them(clock: FakeClock) -> None:
    cache = MemoryCache(clock, cleanup_seconds=10)
    await cache.keep(TENANT, "a", stored(1_000, seconds=5))
    clock.advance(11)
    await cache.keep(TENANT, "b", stored(1_000))
    assert len(cache._entries) == 1
