"""What the books on Redis owe to being shared and far away."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis

from gateway.accounts import LARGEST_AMOUNT, Hold, Order, Renewal, Settlement
from gateway.errors import BooksAway
from tests.support.clock import BEGIN, FakeClock
from tests.support.engine import TENANT, make_account, make_entry, make_hold
from tests.usage.books.conftest import Open
from tests.usage.books.shops import RedisShop, counted, make_ready
from usage.books.redis import RedisBooks
from usage.books.shards import shard_key, shard_of

BUDGET = make_account("nano", limit=1_000)
CALLS = make_account("requests", limit=100, window="minute")
SHARD = shard_of(TENANT)


def _settlement(hold: Hold, nano: int) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


async def _admitted(books: RedisBooks, holds: list[Hold]) -> int:
    verdicts = await books.post(holds)
    return sum(verdict.refusal is None for verdict in verdicts)


async def test_of_two_processes_exactly_the_limit_is_admitted(redis_shop: RedisShop, opened: Open) -> None:
    both = [redis_shop.books, await opened()]
    posts = [books.post([make_hold(CALLS) for _ in range(7)]) for _ in range(10) for books in both]
    verdicts = [verdict for post in await asyncio.gather(*posts) for verdict in post]
    assert sum(verdict.refusal is None for verdict in verdicts) == 100
    assert counted(redis_shop, CALLS) == (0, 100)


async def test_two_processes_never_spend_more_than_a_budget(redis_shop: RedisShop, opened: Open) -> None:
    both = [redis_shop.books, await opened()]
    for nano in (1, 7, 30, 31, 2):
        holds = [[make_hold(BUDGET, nano=nano) for _ in range(20)] for _ in both]
        verdicts = await asyncio.gather(*(one.post(some) for one, some in zip(both, holds, strict=True)))
        granted = [
            hold
            for some, said in zip(holds, verdicts, strict=True)
            for hold, verdict in zip(some, said, strict=True)
            if verdict.refusal is None
        ]
        await both[0].post([_settlement(hold, nano) for hold in granted[::2]])
    spent, held = counted(redis_shop, BUDGET)
    assert spent + held == 1_000
    assert sum(row[2] for row in await redis_shop.rows()) == spent


async def test_one_process_settles_what_another_admitted(redis_shop: RedisShop, opened: Open) -> None:
    hold = make_hold(BUDGET, CALLS, nano=400)
    await redis_shop.books.post([hold])
    await (await opened()).post([_settlement(hold, 300)])
    assert (counted(redis_shop, BUDGET), counted(redis_shop, CALLS)) == ((300, 0), (1, 0))


async def test_a_full_journal_refuses_new_calls_and_takes_what_was_admitted(
    redis: Redis, opened: Open, clock: FakeClock
) -> None:
    books = await opened(backlog_at_most=2)
    await make_ready(books)
    holds = [make_hold(BUDGET, nano=100) for _ in range(3)]
    await books.post(holds)
    await books.post([_settlement(hold, 50) for hold in holds[:2]])
    new, raised = make_hold(BUDGET, nano=1), make_hold(BUDGET, identifier=holds[2].id, nano=200)
    verdicts = await books.post([new, raised, _settlement(holds[2], 150)])
    assert [(verdict.failed, verdict.hopeless) for verdict in verdicts] == [
        (True, False),
        (False,) * 2,
        (False,) * 2,
    ]
    with pytest.raises(BooksAway):
        await books.post([new])
    assert counted(RedisShop(books, redis, clock), BUDGET) == (250, 0)


async def test_amounts_that_doubles_do_not_count_fail_alone(redis_shop: RedisShop) -> None:
    absurd, sound = make_hold(BUDGET, nano=1), make_hold(BUDGET, nano=2)
    await redis_shop.books.post([absurd, sound])
    verdicts = await redis_shop.books.post([_settlement(absurd, LARGEST_AMOUNT + 1), _settlement(sound, 2)])
    assert [verdict.hopeless for verdict in verdicts] == [True, False]
    assert counted(redis_shop, BUDGET) == (2, 1)


async def test_whoever_comes_with_an_old_configuration_is_told(redis_shop: RedisShop, opened: Open) -> None:
    old, new = (replace(make_hold(BUDGET, nano=10), revision=revision) for revision in (7, 8))
    await redis_shop.books.post([old, new])
    late = replace(make_hold(BUDGET, nano=10), revision=7)
    (verdict,) = await (await opened()).post([late])
    assert (verdict.revision, verdict.refusal) == (8, None)
    (raised,) = await redis_shop.books.post(
        [replace(make_hold(BUDGET, identifier=old.id, nano=20), revision=7)]
    )
    assert (raised.revision, raised.refusal) == (0, None)
    assert counted(redis_shop, BUDGET) == (0, 30)


class LateClock(FakeClock):
    """Goes on by two seconds whenever somebody looks."""

    def now(self) -> float:
        """A later time than before."""
        self.advance(2)
        return super().now()


async def test_the_window_is_that_of_rediss_clock_and_not_of_the_process(redis: Redis, opened: Open) -> None:
    daily = make_account("requests", limit=10, window="day")
    clock = LateClock(BEGIN + 43_200)
    books = await opened(clock=clock)
    await make_ready(books)
    clock.advance(BEGIN + 86_400 - 3 - FakeClock.now(clock))
    await books.post([make_hold(daily)])  # it looks at 23:59:59, and the script a second after midnight
    midnight = round(BEGIN + 86_400) * 1_000
    assert RedisShop(books, redis, clock).windows(daily) == {midnight: (0, 1)}


async def test_in_service_the_clock_is_that_of_redis(
    redis: Redis, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usage.books.redis_shards.SystemClock", FakeClock)
    books = await opened(clock=None)
    await make_ready(books)
    await books.post([make_hold(CALLS)])
    seconds, _ = redis.time()
    ((start, _),) = RedisShop(books, redis, FakeClock()).windows(CALLS).items()
    assert 0 <= seconds + 1 - start / 1000 < 60


async def test_what_is_over_leaves_nothing_behind_for_good(redis_shop: RedisShop) -> None:
    rate, places = make_account("requests", 5, "minute"), make_account("concurrency", 5, "none")
    daily, total = make_account("requests", 5, "day"), make_account("nano", 5)
    hold, swept = make_hold(rate, places, daily, total), make_hold(rate, places, daily, total)
    await redis_shop.books.post([hold, swept])
    await redis_shop.books.post([_settlement(hold, 1)])
    redis_shop.clock.advance(61)
    await redis_shop.books.sweep()
    await redis_shop.books.post([make_hold(rate, daily)])
    stay = {key for key in redis_shop.keys("*") if redis_shop.redis.ttl(key) == -1}
    of_shard = {
        key.removeprefix(shard_key(SHARD, "")) for key in stay if key.startswith(shard_key(SHARD, ""))
    }
    assert len(redis_shop.open_holds()) == 1
    assert of_shard == {"state", "journal", "leases", "holds", "lines", f"a:{total.id}"}


async def test_a_script_that_redis_forgot_is_sent_again(redis_shop: RedisShop) -> None:
    redis_shop.redis.script_flush()
    assert await _admitted(redis_shop.books, [make_hold(BUDGET, nano=1), make_hold(BUDGET, nano=1)]) == 2
    assert counted(redis_shop, BUDGET) == (0, 2)


async def test_a_hold_that_comes_after_it_was_given_back_is_not_opened(redis_shop: RedisShop) -> None:
    hold = make_hold(BUDGET, nano=400)
    await redis_shop.books.post([replace(_settlement(hold, 0), gives_back=True)])
    await redis_shop.books.post([hold])
    assert (counted(redis_shop, BUDGET), redis_shop.open_holds()) == ((0, 0), set())


async def test_closed_books_take_no_orders(opened: Open) -> None:
    books = await opened()
    await books.close()
    assert not books.is_open
    for ask in (lambda: books.post([make_hold()]), books.sweep):
        with pytest.raises(BooksAway):
            await ask()


async def test_many_leases_that_end_at_once_are_all_swept(redis_shop: RedisShop) -> None:
    await redis_shop.books.post([make_hold(CALLS) for _ in range(100)])
    many = make_account("requests", limit=1_000)
    await redis_shop.books.post([make_hold(many) for _ in range(250)])
    redis_shop.clock.advance(61)
    assert await redis_shop.books.sweep() == 350
    assert redis_shop.open_holds() == set()
    assert len(await redis_shop.rows()) == 350


ORDERS: dict[str, Callable[[Hold], Order]] = {
    "repeat": lambda hold: hold,
    "raise": lambda hold: make_hold(*hold.accounts, identifier=hold.id, nano=600),
    "renewal": lambda hold: Renewal(id=hold.id, tenant_id=TENANT),
    "settlement": lambda hold: _settlement(hold, 300),
}


@pytest.mark.parametrize("kind", ORDERS)
async def test_an_order_of_any_kind_is_known_when_it_comes_again(kind: str, redis_shop: RedisShop) -> None:
    hold = make_hold(BUDGET, CALLS, nano=400)
    await redis_shop.books.post([hold])
    seen: list[Any] = []
    for _ in range(3):
        await redis_shop.books.post([ORDERS[kind](hold)])
        seen.append((counted(redis_shop, BUDGET), counted(redis_shop, CALLS), redis_shop.lines()))
    assert seen[0] == seen[1] == seen[2]
