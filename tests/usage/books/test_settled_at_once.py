"""Calls that are settled as they are admitted: hold and settlement in one post, and one entry or none."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from gateway.accounts import Hold, Order, Settlement, Verdict
from gateway.batching import HOLD_SECONDS, Teller
from gateway.errors import BooksAway
from gateway.memory import MemoryBooks, MemorySpill
from tests.support.clock import FakeClock
from tests.support.engine import make_account, make_entry, make_hold
from tests.support.redis_server import OwnRedis
from tests.usage.books.losses import SHARD, rebuild
from tests.usage.books.shops import RedisShop, Shop, counted
from usage.books.shards import shard_key

CALLS = make_account("requests", limit=3, window="minute")
BUDGET = make_account("nano", limit=1_000)


def cached(hold: Hold) -> Settlement:
    """Nothing was spent but the request."""
    return Settlement(hold=hold, entry=make_entry(0, hold.id, status="cached"), tokens=0, gives_back=True)


def settled(hold: Hold, nano: int) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


async def test_one_post_is_one_request_and_one_entry(shop: Shop) -> None:
    hold = make_hold(CALLS, BUDGET, concurrency=0)
    verdicts = await shop.books.post([hold, cached(hold)])
    assert [verdict.refusal for verdict in verdicts] == [None, None]
    assert (counted(shop, CALLS), counted(shop, BUDGET)) == ((1, 0), (0, 0))
    assert [row[:3] for row in await shop.rows()] == [(hold.id, "cached", 0)]


async def test_whose_reply_was_lost_is_known_when_it_comes_again(redis_shop: RedisShop) -> None:
    hold = make_hold(CALLS, concurrency=0)
    for _ in range(2):
        verdicts = await redis_shop.books.post([hold, cached(hold)])
        assert [verdict.refusal for verdict in verdicts] == [None, None]
    assert counted(redis_shop, CALLS) == (1, 0)
    assert len(await redis_shop.rows()) == 1


async def test_what_is_refused_leaves_nothing(shop: Shop) -> None:
    for _ in range(3):
        hold = make_hold(CALLS, concurrency=0)
        await shop.books.post([hold, cached(hold)])
    late = make_hold(CALLS, concurrency=0)
    verdict, _ = await shop.books.post([late, cached(late)])
    assert verdict.refusal is not None
    assert late.id not in [row[0] for row in await shop.rows()]
    shop.clock.advance(61)
    await shop.books.post([late])
    await shop.books.post([settled(late, 5)])
    assert [row[1] for row in await shop.rows() if row[0] == late.id] == ["settled"]


async def test_a_caller_whose_configuration_is_old_may_come_again(redis_shop: RedisShop) -> None:
    await redis_shop.books.post([replace(make_hold(BUDGET), revision=8)])
    hold = make_hold(CALLS, concurrency=0)
    old, new = (replace(hold, revision=revision) for revision in (7, 8))
    verdict, _ = await redis_shop.books.post([old, cached(old)])
    assert verdict.revision == 8
    assert await redis_shop.rows() == []
    await redis_shop.books.post([new, cached(new)])
    assert [row[:2] for row in await redis_shop.rows()] == [(hold.id, "cached")]
    assert counted(redis_shop, CALLS) == (1, 0)


async def test_it_is_brought_back_after_a_loss(own_shop: RedisShop, server: OwnRedis) -> None:
    hold = make_hold(CALLS, concurrency=0)
    await own_shop.books.post([hold, cached(hold)])
    server.wipe()
    await rebuild(own_shop)
    assert [row[:2] for row in await own_shop.rows()] == [(hold.id, "cached")]


async def test_what_was_refused_is_not_brought_back(own_shop: RedisShop, server: OwnRedis) -> None:
    none = make_account("requests", limit=0, window="minute")
    hold = make_hold(none, concurrency=0)
    await own_shop.books.post([hold, cached(hold)])
    server.wipe()
    await rebuild(own_shop)
    assert await own_shop.rows() == []
    assert own_shop.redis.exists(shard_key(SHARD, f"d:{hold.id.hex}")) == 0


class Hesitant(MemoryBooks):
    """Books that carry no hold out at first, and everything else."""

    posts = 0

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        self.posts += 1
        if self.posts > 1:
            return await super().post(orders)
        failed = [isinstance(order, Hold) for order in orders]
        for order, is_failed in zip(orders, failed, strict=True):
            if not is_failed:
                await super().post([order])
        return [Verdict(failed=one) for one in failed]


class Away(MemoryBooks):
    """Books that cannot be reached."""

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        raise BooksAway


async def test_both_go_again_where_the_books_took_one_of_them() -> None:
    clock = FakeClock()
    books = Hesitant(clock)  # type: ignore[arg-type]
    teller = Teller(books, MemorySpill(), clock)
    hold = make_hold(CALLS, concurrency=0)
    asking = asyncio.create_task(teller.admit_settled(cached(hold)))
    await clock.turn(0.5)
    assert (await asking).refusal is None
    assert [entry.status for entry in books.entries.values()] == ["cached"]
    assert not books.tally.holds


async def test_books_that_are_away_are_told() -> None:
    clock = FakeClock()
    teller = Teller(Away(clock), MemorySpill(), clock)  # type: ignore[arg-type]
    asking = asyncio.create_task(teller.admit_settled(cached(make_hold(CALLS, concurrency=0))))
    await clock.turn(HOLD_SECONDS + 1)
    assert isinstance(asking.exception(), BooksAway)
