"""What several processes keep together on Redis: who looks for an answer, and a Redis that is away."""

import logging
from pathlib import Path

import pytest
from redis import Redis

from gateway.caching.errors import CacheAway
from gateway.caching.values import Stored
from gateway.memory import GlassVault
from tests.support.clock import FakeClock
from tests.support.engine import OTHER_TENANT, TENANT
from tests.support.ports import free_port
from tests.support.redis_server import own_redis
from tests.usage.caching.conftest import OpenCache
from usage.caching.meanings import RedisMeanings
from usage.caching.pipe import AWAY_SECONDS
from usage.caching.redis import LOOK_EVERY, RedisCache

STORED = Stored(answer=b"answer", label=b"label", saved_nano=1, seconds=60)


async def leads(cache: RedisCache, seconds: float = 10) -> bool:
    return (await cache.find(TENANT, "a", lead_seconds=seconds)).leads


async def test_of_processes_that_miss_one_is_to_find_the_answer(opened: OpenCache) -> None:
    one, other = opened(), opened()
    assert [await leads(one), await leads(other), await leads(one)] == [True, False, True]
    await one.keep(TENANT, "a", STORED)
    assert (await other.find(TENANT, "a", lead_seconds=10)).answer == b"answer"


async def test_who_comes_to_nothing_lets_another_process_look(opened: OpenCache) -> None:
    one, other = opened(), opened()
    await leads(one)
    await other.release(TENANT, "a")
    assert await leads(other) is False
    await one.release(TENANT, "a")
    assert await leads(other) is True


async def test_who_takes_too_long_is_not_waited_for(opened: OpenCache, clock: FakeClock) -> None:
    one, other = opened(), opened()
    await leads(one)
    clock.advance(11)
    assert await leads(other) is True


async def test_who_waits_is_no_miss(opened: OpenCache) -> None:
    one, other = opened(), opened()
    await leads(one)
    for _ in range(5):
        await leads(other)
    assert (await one.status(TENANT)).misses == 1


async def test_who_only_looks_takes_no_lead(opened: OpenCache) -> None:
    one, other = opened(), opened()
    await leads(one, 0)
    assert await leads(other) is True


async def test_what_one_keeps_another_finds_and_clears(opened: OpenCache) -> None:
    one, other = opened(), opened()
    await one.keep(TENANT, "a", STORED)
    assert (await other.find(TENANT, "a")).answer == b"answer"
    assert await other.clear(TENANT) == 1
    assert (await one.find(TENANT, "a")).answer is None


async def test_there_may_be_so_many(opened: OpenCache, clock: FakeClock) -> None:
    cache = opened(entries_at_most=2)
    for key in ("a", "b", "c"):
        await cache.keep(TENANT, key, STORED)
        clock.advance(1)
    assert (await cache.status(TENANT)).entries == 2
    assert (await cache.find(TENANT, "a")).answer is None


async def test_what_redis_dropped_by_itself_is_counted_off(
    opened: OpenCache, redis: Redis, clock: FakeClock
) -> None:
    cache = opened()
    await cache.keep(TENANT, "a", STORED)
    redis.delete(f"gw-cache:{{{TENANT.hex}}}:a:a")
    assert (await cache.find(TENANT, "a")).answer is None
    clock.advance(61)
    status = await cache.status(TENANT)
    assert (status.entries, status.size) == (0, 0)


async def test_every_key_is_of_one_tenant_and_none_is_for_ever(opened: OpenCache, redis: Redis) -> None:
    cache = opened()
    await leads(cache)
    await cache.keep(TENANT, "a", STORED)
    await cache.keep(OTHER_TENANT, "a", STORED)
    await RedisMeanings(cache.pipe, GlassVault()).keep(TENANT, "s", "a", [1.0], seconds=5)
    keys = [key.decode() for key in redis.scan_iter("gw-cache:*")]
    assert {key.split("}")[0].split("{")[1] for key in keys} == {TENANT.hex, OTHER_TENANT.hex}
    assert [key for key in keys if redis.pttl(key) <= 0] == []


async def test_a_redis_that_is_away_finds_nothing_and_is_left_alone_for_a_while(
    opened: OpenCache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    cache = opened(f"redis://127.0.0.1:{free_port()}/0")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = await cache.find(TENANT, "a", lead_seconds=10)
            assert (found.answer, found.leads) == (None, True)
            await cache.keep(TENANT, "a", STORED)
    assert len(caplog.records) == 1
    assert (await cache.status(TENANT)).is_away
    with pytest.raises(CacheAway):
        await cache.clear(TENANT)
    assert await RedisMeanings(cache.pipe, GlassVault()).nearest(TENANT, "s", [1.0]) is None


async def test_it_is_asked_again_when_it_is_back(opened: OpenCache, clock: FakeClock, tmp_path: Path) -> None:
    with own_redis(tmp_path) as server:
        cache = opened(server.url)
        await cache.keep(TENANT, "a", STORED)
        server.kill()
        assert (await cache.find(TENANT, "a")).answer is None
        server.start()
        assert cache.pipe.is_away
        clock.advance(AWAY_SECONDS)
        await cache.keep(TENANT, "a", STORED)
        assert (await cache.find(TENANT, "a")).answer == b"answer"


async def test_nothing_is_kept_in_a_redis_that_is_nearly_full(
    opened: OpenCache, clock: FakeClock, tmp_path: Path
) -> None:
    with own_redis(tmp_path) as server, server.client as client:
        cache = opened(server.url)
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 10_000)
        await cache.keep(TENANT, "a", STORED)
        assert (await cache.find(TENANT, "a")).answer is None
        client.config_set("maxmemory", 0)
        clock.advance(LOOK_EVERY)
        await cache.keep(TENANT, "a", STORED)
        assert (await cache.find(TENANT, "a")).answer == b"answer"


async def test_meanings_are_shared_and_what_came_since_is_learned(opened: OpenCache) -> None:
    one, other = [RedisMeanings(opened().pipe, GlassVault()) for _ in range(2)]
    await one.keep(TENANT, "s", "x", [1.0, 0.0], seconds=60)
    near = await other.nearest(TENANT, "s", [2.0, 0.1])
    assert near is not None
    assert (near.key, round(near.cosine, 2)) == ("x", 1.0)
    await one.keep(TENANT, "s", "y", [0.0, 1.0], seconds=60)
    near = await other.nearest(TENANT, "s", [0.1, 2.0])
    assert near is not None
    assert near.key == "y"
    for number in range(450):
        await one.keep(TENANT, "s", f"more-{number}", [-1.0, number], seconds=60)
    near = await other.nearest(TENANT, "s", [-1.0, 449.0])
    assert near is not None
    assert near.key == "more-449"
    assert await other.nearest(TENANT, "another", [1.0, 0.0]) is None
    assert await other.nearest(OTHER_TENANT, "s", [1.0, 0.0]) is None
