"""Calls that are settled as they are admitted: one order opens and closes a hold; one entry or none."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from gateway.accounts import Hold, Order, Refusal, Settlement, Verdict
from gateway.batching import HOLD_SECONDS, Teller
from gateway.errors import BooksAway
from gateway.ids import uuid7
from gateway.memory import MemoryBooks, MemorySpill
from tests.support.clock import FakeClock
from tests.support.engine import make_account, make_entry, make_hold
from tests.support.redis_server import OwnRedis
from tests.usage.books.losses import SHARD, rebuild
from tests.usage.books.settled_at_once import cached
from tests.usage.books.shops import RedisShop, Shop, counted
from usage.books.redis_errands import put_together, taken_apart
from usage.books.shards import shard_key

CALLS = make_account("requests", limit=3, window="minute")
BUDGET = make_account("nano", limit=1_000)


def settled(hold: Hold, nano: int) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


async def test_one_post_is_one_request_and_one_entry(shop: Shop) -> None:
    hold = make_hold(CALLS, BUDGET, concurrency=0)
    verdicts = await shop.books.post([cached(hold)])
    assert [verdict.refusal for verdict in verdicts] == [None]
    assert (counted(shop, CALLS), counted(shop, BUDGET)) == ((1, 0), (0, 0))
    assert [row[:3] for row in await shop.rows()] == [(hold.id, "cached", 0)]


async def test_whose_reply_was_lost_is_known_when_it_comes_again(redis_shop: RedisShop) -> None:
    hold = make_hold(CALLS, concurrency=0)
    for _ in range(2):
        verdicts = await redis_shop.books.post([cached(hold)])
        assert [verdict.refusal for verdict in verdicts] == [None]
    assert counted(redis_shop, CALLS) == (1, 0)
    assert len(await redis_shop.rows()) == 1


async def test_what_is_refused_leaves_nothing(shop: Shop) -> None:
    for _ in range(3):
        hold = make_hold(CALLS, concurrency=0)
        await shop.books.post([cached(hold)])
    late = make_hold(CALLS, concurrency=0)
    (verdict,) = await shop.books.post([cached(late)])
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
    (verdict,) = await redis_shop.books.post([cached(old)])
    assert verdict.revision == 8
    assert await redis_shop.rows() == []
    await redis_shop.books.post([cached(new)])
    assert [row[:2] for row in await redis_shop.rows()] == [(hold.id, "cached")]
    assert counted(redis_shop, CALLS) == (1, 0)


async def test_it_is_brought_back_after_a_loss(own_shop: RedisShop, server: OwnRedis) -> None:
    hold = make_hold(CALLS, concurrency=0)
    await own_shop.books.post([cached(hold)])
    server.wipe()
    await rebuild(own_shop)
    assert [row[:2] for row in await own_shop.rows()] == [(hold.id, "cached")]


async def test_what_was_refused_is_not_brought_back(own_shop: RedisShop, server: OwnRedis) -> None:
    none = make_account("requests", limit=0, window="minute")
    hold = make_hold(none, concurrency=0)
    await own_shop.books.post([cached(hold)])
    server.wipe()
    await rebuild(own_shop)
    assert await own_shop.rows() == []
    assert own_shop.redis.exists(shard_key(SHARD, f"d:{hold.id.hex}")) == 0


class Away(MemoryBooks):
    """Books that cannot be reached."""

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        raise BooksAway


async def test_others_in_the_same_post_get_their_own_verdicts(shop: Shop) -> None:
    first, second, third = (make_hold(CALLS, concurrency=0) for _ in range(3))
    full = replace(first, id=uuid7(), accounts=(make_account("requests", limit=0, window="minute"),))
    orders: list[Order] = [first, cached(full), cached(second), settled(first, 5), third]
    verdicts = await shop.books.post(orders)
    assert [verdict.refusal is None for verdict in verdicts] == [True, False, True, True, True]
    assert [(limit.limit, limit.remaining) for limit in verdicts[2].rates] == [(3, 1)]
    assert counted(shop, CALLS) == (2, 1)


def test_half_of_it_carried_out_is_not_carried_out() -> None:
    """Redis does it as two orders: both go again, by the same ids."""
    order, other = cached(make_hold(CALLS)), make_hold(CALLS)
    opened, closed = taken_apart([order])
    assert (opened, closed) == (order.hold, replace(order, opens=False, gives_back=True))
    done, failed = Verdict(), Verdict(failed=True)
    refused = Verdict(refusal=Refusal(account=CALLS, retry_ms=1))
    assert put_together([order, other], [done, failed, refused]) == [failed, refused]
    assert put_together([order, other], [refused, done, done]) == [refused, done]
    assert put_together([order], [failed, done]) == [failed]


async def test_books_that_are_away_are_told() -> None:
    clock = FakeClock()
    teller = Teller(Away(clock), MemorySpill(), clock)  # type: ignore[arg-type]
    asking = asyncio.create_task(teller.admit_settled(cached(make_hold(CALLS, concurrency=0))))
    await clock.turn(HOLD_SECONDS + 1)
    assert isinstance(asking.exception(), BooksAway)
