"""Settlements that Redis knows nothing of any more: the ledger is asked, so that no account moves twice."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

import pytest
from msgspec.structs import replace
from redis import Redis

from gateway.accounts import Claim, Hold, Settlement
from gateway.errors import BooksAway
from gateway.ids import uuid7
from tests.support.clock import FakeClock
from tests.support.engine import make_account, make_entry, make_hold
from tests.support.redis_server import OwnRedis
from tests.usage.books.conftest import Open
from tests.usage.books.losses import BUDGET, SHARD, TOTAL, grant, rebuild, settlement
from tests.usage.books.shops import Ledger, RedisShop, counted, make_ready
from usage.books import redis_errands
from usage.books.redis_recovery import Spent
from usage.books.shards import journal_key

ELEVEN_MINUTES = 11 * 60
CALLS = make_account("requests", limit=100, window="day")


def mending() -> Settlement:
    """What a correction is to the books."""
    entry = make_entry(-400, corrects=uuid7())
    return Settlement(hold=make_hold(BUDGET, CALLS, identifier=entry.id), entry=entry, tokens=0)


async def settled_without_hold(shop: RedisShop) -> Settlement:
    order = settlement(make_hold(BUDGET, CALLS, nano=400), 300)
    await shop.books.post([order])
    return order


async def settled(shop: RedisShop) -> Settlement:
    order = settlement(await grant(shop.books, 400, BUDGET, CALLS), 300)
    await shop.books.post([order])
    return order


async def mended(shop: RedisShop) -> Settlement:
    order = mending()
    await shop.books.post([order])
    return order


async def settled_late(shop: RedisShop) -> Settlement:
    order = settlement(await grant(shop.books, 400, BUDGET, CALLS), 300)
    shop.clock.advance(61)
    await shop.books.sweep()
    await shop.books.post([order])
    return order


Book = Callable[[RedisShop], Awaitable[Settlement]]
MARKED_SHORTLY = [settled_without_hold, settled, mended]
WAYS = pytest.mark.parametrize("book", [*MARKED_SHORTLY, settled_late])


def drain(shop: RedisShop, ledger: Ledger) -> None:
    """What the drainer does with the journal."""
    ledger.known |= {row[0] for row in shop.lines()}
    shop.redis.delete(journal_key(SHARD))


@WAYS
async def test_what_was_booked_long_ago_is_not_booked_again(
    book: Book, redis_shop: RedisShop, ledger: Ledger
) -> None:
    order = await book(redis_shop)
    before = counted(redis_shop, BUDGET), counted(redis_shop, CALLS)
    drain(redis_shop, ledger)
    redis_shop.age(ELEVEN_MINUTES)
    for _ in range(2):
        (verdict,) = await redis_shop.books.post([order])
        assert not verdict.failed
    assert (counted(redis_shop, BUDGET), counted(redis_shop, CALLS)) == before


@pytest.mark.parametrize("book", MARKED_SHORTLY)
async def test_nor_is_it_while_its_line_is_on_its_way(
    book: Book, redis_shop: RedisShop, ledger: Ledger
) -> None:
    order = await book(redis_shop)
    before = counted(redis_shop, BUDGET), counted(redis_shop, CALLS)
    redis_shop.age(ELEVEN_MINUTES)
    with pytest.raises(BooksAway):
        await redis_shop.books.post([order])
    drain(redis_shop, ledger)
    await redis_shop.books.post([order])
    assert (counted(redis_shop, BUDGET), counted(redis_shop, CALLS)) == before


async def test_a_call_that_was_swept_is_remembered_for_a_day(redis_shop: RedisShop) -> None:
    """Whatever is settled beside it: calls of the same seconds share a key and its expiry."""
    order = await settled_late(redis_shop)
    before = counted(redis_shop, BUDGET), counted(redis_shop, CALLS)
    await redis_shop.books.post([settlement(await grant(redis_shop.books, 50, CALLS), 50)])
    counts = counted(redis_shop, CALLS)
    redis_shop.age(ELEVEN_MINUTES)
    await redis_shop.books.post([order])
    assert (counted(redis_shop, BUDGET), counted(redis_shop, CALLS)) == (before[0], counts)
    assert redis_shop.keys("d:*")


async def test_a_call_that_was_settled_is_forgotten_soon(redis_shop: RedisShop) -> None:
    await settled(redis_shop)
    redis_shop.age(590)
    assert redis_shop.keys("d:*")
    redis_shop.age(20)
    assert redis_shop.keys("d:*") == []


async def test_a_new_settlement_waits_for_an_old_journal_and_is_booked_then(
    redis_shop: RedisShop, ledger: Ledger
) -> None:
    await settled(redis_shop)
    redis_shop.age(ELEVEN_MINUTES)
    order, hold = mending(), make_hold(CALLS)
    failed, granted = await redis_shop.books.post([order, hold])
    assert (failed.failed, granted.failed) == (True, False)
    drain(redis_shop, ledger)
    await redis_shop.books.post([order])
    assert counted(redis_shop, BUDGET) == (-100, 0)


@pytest.mark.parametrize("how", ["away", "hangs"])
async def test_what_nobody_knows_waits_for_a_ledger_that_does_not_answer(
    redis: Redis, opened: Open, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(redis_errands, "ANSWERS_WITHIN", 0.05)
    away = True

    async def in_ledger(_: Collection[UUID]) -> set[UUID]:
        if away and how == "away":
            raise BooksAway
        if away:
            await asyncio.Event().wait()
        return set()

    books = await opened(in_ledger=in_ledger)
    await make_ready(books)
    shop, order, hold = RedisShop(books, redis, clock), mending(), make_hold(CALLS)
    failed, granted = await books.post([order, hold])
    assert (failed.failed, granted.failed) == (True, False)
    assert (counted(shop, BUDGET), shop.lines()) == ((0, 0), [])
    away = False
    await books.post([order])
    assert counted(shop, BUDGET) == (-400, 0)


async def test_an_answer_is_kept_though_its_call_is_in_the_ledger(
    redis_shop: RedisShop, ledger: Ledger
) -> None:
    def claiming() -> Hold:
        return replace(make_hold(BUDGET, nano=400), claim=Claim(key="k", body="b"))

    first = claiming()
    ledger.known.add(first.id)
    await redis_shop.books.post([replace(settlement(first, 300), answer=b"sealed")])
    (verdict,) = await redis_shop.books.post([claiming()])
    assert verdict.claimed is not None
    assert (verdict.claimed.state, verdict.claimed.answer) == ("answered", b"sealed")
    assert counted(redis_shop, BUDGET) == (0, 0)


async def test_a_call_that_was_swept_before_a_wipe_and_settles_after_counts_once(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    hold = await grant(own_shop.books, 400)
    own_shop.clock.advance(61)
    assert await own_shop.books.sweep() == 1
    drain(own_shop, ledger)
    server.wipe()
    ledger.spent[SHARD] = [Spent(BUDGET.id, *TOTAL, 400)]
    await rebuild(own_shop)
    for _ in range(2):
        await own_shop.books.post([settlement(hold, 100)])
    assert counted(own_shop, BUDGET) == (400, 0)
