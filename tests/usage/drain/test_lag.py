"""How far the ledger is behind."""

from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from redis.asyncio import Redis

from tests.support.ports import free_port
from tests.usage.drain.conftest import Making, Works
from usage.books.shards import LINE, journal_key
from usage.drain.failures import Away
from usage.drain.lag import Backlog, read_backlog

pytestmark = pytest.mark.servers


@pytest.fixture
async def redis(works: Works) -> AsyncIterator[Redis]:
    async with Redis.from_url(works.server.url) as redis:
        yield redis


async def test_there_is_none_before_and_after(works: Works, entries: Making, redis: Redis) -> None:
    none = Backlog(length=0, pending=0, oldest_seconds=0.0, poisoned=0)
    assert await read_backlog(redis) == none
    works.write(entries(10))
    works.drain()
    assert await read_backlog(redis) == none


async def test_it_counts_all_shards_and_names_the_oldest(works: Works, entries: Making, redis: Redis) -> None:
    seconds, _ = works.redis.time()
    for shard, age in ((3, 30), (5, 90), (7, 60)):
        works.redis.xadd(journal_key(shard), {LINE: b"poison\n"}, id=f"{(seconds - age) * 1000}-1")
    works.write(entries(32))
    found = await read_backlog(redis)
    assert (found.length, found.pending, found.poisoned) == (35, 0, 0)
    assert 90 <= found.oldest_seconds < 95
    with closing(works.journal()) as journal:
        journal.join()
        in_hand = journal.read()
        assert (await read_backlog(redis)).pending == len(in_hand) == 35
    works.drain()
    assert await read_backlog(redis) == Backlog(length=0, pending=0, oldest_seconds=0.0, poisoned=3)


async def test_redis_away_is_told_apart_from_no_backlog() -> None:
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as redis:
        with pytest.raises(Away, match="Redis"):
            await read_backlog(redis)
