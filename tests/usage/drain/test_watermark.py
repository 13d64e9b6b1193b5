"""The mark that says how far a shard is drained: it never passes a line that is not in the ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from gateway.entry import Entry
from tests.support.engine import make_entry
from tests.support.ports import free_port
from tests.support.waiting import eventually
from tests.usage.drain.conftest import Works
from usage.books.shards import journal_key, shard_key
from usage.drain.journal import GROUP, Journal, Waiting
from usage.drain.watermark import Watermark

pytestmark = pytest.mark.servers


def parts(stream_id: bytes) -> tuple[int, ...]:
    return tuple(int(part) for part in stream_id.split(b"-"))


def make(count: int) -> list[Entry]:
    """Entries of one shard."""
    return [make_entry(tenant_id=UUID(int=0)) for _ in range(count)]


def write(works: Works, count: int) -> list[bytes]:
    """Lines of one shard; their stream ids."""
    return works.write(make(count))


def joined(works: Works) -> Journal:
    journal = works.journal()
    journal.join()
    return journal


def read(journal: Journal, count: int) -> list[Waiting]:
    found = journal.read(block_ms=None)
    assert len(found) == count
    return found


def left(works: Works) -> list[bytes]:
    """What is still in the journal of the shard."""
    found: Any = works.redis.xrange(journal_key(0))
    return [identifier for identifier, _ in found]


@pytest.fixture
async def redis(works: Works) -> AsyncIterator[Redis]:
    async with Redis.from_url(works.server.url) as redis:
        yield redis


def test_it_stops_before_what_another_drainer_has_in_hand(works: Works) -> None:
    with closing(joined(works)) as one, closing(joined(works)) as other:
        first = write(works, 3)
        in_hand = read(one, 3)
        later = write(works, 3)
        other.finish(read(other, 3))
        mark = works.mark()
        assert mark is not None
        assert parts(mark) < parts(first[0])
        one.finish(in_hand[:1])
        assert parts(first[0]) <= parts(works.mark() or b"0-0") < parts(first[1])
        one.finish(in_hand[1:])
        assert works.mark() == later[-1]


def test_it_stops_before_what_nobody_has_read(works: Works) -> None:
    with closing(joined(works)) as one:
        write(works, 2)
        in_hand = read(one, 2)
        unread = write(works, 2)
        one.finish(in_hand)
        assert works.mark() == in_hand[-1].id
        assert parts(in_hand[-1].id) < parts(unread[0])


def test_what_others_have_in_hand_stays_in_the_journal(works: Works) -> None:
    with closing(joined(works)) as one, closing(joined(works)) as other:
        takers = (one, other, one)
        written, hands = zip(*[(write(works, 2), read(taker, 2)) for taker in takers], strict=True)
        one.finish(hands[2])
        assert left(works) == [*written[0], *written[1]]
        one.finish(hands[0])
        assert left(works) == written[1]
        unread = write(works, 2)
        other.finish(hands[1])
        assert left(works) == unread


def test_it_never_moves_back(works: Works) -> None:
    with closing(joined(works)) as one:
        write(works, 3)
        in_hand = read(one, 3)
        one.finish(in_hand[:2])
        mark = works.mark()
        assert mark is not None
        works.redis.xgroup_setid(journal_key(0), GROUP, "0")
        one.finish(in_hand[2:])
        assert works.mark() == mark


def test_a_line_that_is_set_aside_does_not_hold_it_up(works: Works) -> None:
    first = works.write_line(b"poison\n")
    last = write(works, 2)[-1]
    works.drain()
    assert len(works.poisoned()) == 1
    assert works.mark() == last
    assert parts(first) < parts(last)


def test_a_shard_without_a_state_gets_none(works: Works) -> None:
    """It was wiped, and must not look as if it knew something."""
    works.redis.delete(shard_key(0, "state"))
    write(works, 2)
    works.drain()
    assert not works.redis.exists(shard_key(0, "state"))


@pytest.mark.slow
def test_it_never_passes_a_line_that_is_not_in_the_ledger(works: Works) -> None:
    """Looked at while three drainers work and their connections are cut."""
    made = make(6_000)
    ids = works.write(made)
    written = dict(zip(ids, made, strict=True))
    drainers = [works.drainer() for _ in range(3)]
    marks = [b"0-0"]

    def look() -> bool:
        marks.append(works.mark() or b"0-0")
        there = set(works.rows())
        below = [entry.id for one, entry in written.items() if parts(one) <= parts(marks[-1])]
        assert [one for one in below if one not in there] == []
        if len(marks) % 5 == 0:
            works.cut()
        return marks[-1] == ids[-1]

    with works.running(*drainers):
        assert eventually(look, within=30)
    assert [parts(mark) for mark in marks] == sorted(parts(mark) for mark in marks)
    assert len(works.rows()) == len(made)


async def test_an_answer_waits_until_its_line_is_committed(works: Works, redis: Redis) -> None:
    watermark = Watermark(redis)
    first, last = (one.decode() for one in write(works, 2))
    assert not await watermark.passed(0, last, within=0.02)
    waiting = [asyncio.create_task(watermark.passed(0, one, within=10)) for one in (first, last)]
    await asyncio.to_thread(works.drain)
    assert await asyncio.gather(*waiting) == [True, True]
    assert not await watermark.passed(1, last, within=0.02)


async def test_one_who_leaves_takes_nobody_along(works: Works, redis: Redis) -> None:
    watermark = Watermark(redis)
    last = write(works, 1)[0].decode()
    leaving, staying = (asyncio.create_task(watermark.passed(0, last, within=10)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.to_thread(works.drain)
    assert await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_nothing_is_known_while_redis_is_away() -> None:
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as redis:
        assert not await Watermark(redis).passed(0, "1-0", within=0.1)
