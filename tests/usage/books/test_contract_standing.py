"""What all books tell of accounts, and what begins anew when an operator says so."""

from gateway.accounts import Account, Hold, Settlement
from gateway.errors import BooksAway
from gateway.standing import Standing
from tests.support.clock import FakeClock
from tests.support.engine import TENANT, make_account, make_entry, make_hold
from tests.usage.books.shops import RedisShop, Shop, counted
from usage.books.sqlite import SqliteBooks

BUDGET = make_account("nano", limit=1_000)
CALLS = make_account("requests", limit=3, window="minute", cooldown_ms=600_000)
PLACES = make_account("concurrency", limit=2, window="none")
TOKENS = make_account("tokens", limit=500, window="day")
TOTAL = make_account("tokens", limit=500, window="total")
EVERY = (BUDGET, CALLS, PLACES, TOKENS, TOTAL)
DAY_MS = 86_400_000


def _settlement(hold: Hold, nano: int = 0, tokens: int = 0) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=tokens)


async def _used(shop: Shop, *accounts: Account) -> list[int]:
    return [standing.used for standing in await shop.books.look(TENANT, accounts)]


async def _is_refused(shop: Shop, hold: Hold) -> bool:
    (verdict,) = await shop.books.post([hold])
    return verdict.refusal is not None


async def test_accounts_that_nobody_used_stand_at_nothing(shop: Shop) -> None:
    assert await _used(shop, *EVERY) == [0] * 5
    assert await shop.books.look(TENANT, ()) == []
    (calls, tokens) = await shop.books.look(TENANT, (CALLS, TOKENS))
    assert calls == Standing(used=0)
    now_ms = round(shop.clock.now() * 1000)
    assert now_ms < tokens.ends_ms <= now_ms + DAY_MS


async def test_what_is_spent_and_what_is_held_is_used(shop: Shop) -> None:
    now_ms = round(shop.clock.now() * 1000)
    first, second = (make_hold(*EVERY, nano=300, tokens=100) for _ in range(2))
    await shop.books.post([first, second, _settlement(first, 200, tokens=40)])
    assert await _used(shop, *EVERY) == [500, 2, 1, 140, 140]
    budget, calls, places, _, total = await shop.books.look(TENANT, EVERY)
    assert calls.ends_ms == now_ms + 60_000
    assert (budget.ends_ms, places.ends_ms, total.ends_ms) == (0, 0, 0)
    shop.clock.advance(61)
    assert await _used(shop, CALLS, TOKENS) == [0, 140]


async def test_a_look_moves_nothing(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=300, tokens=100)
    await shop.books.post([hold])
    before = [counted(shop, account) for account in EVERY]
    await shop.books.look(TENANT, EVERY)
    assert [counted(shop, account) for account in EVERY] == before


async def test_a_cooldown_is_told_and_is_over_after_a_reset(shop: Shop) -> None:
    await shop.books.post([make_hold(CALLS) for _ in range(3)])
    assert await _is_refused(shop, make_hold(CALLS))
    (standing,) = await shop.books.look(TENANT, (CALLS,))
    assert standing.cooling_until_ms == round(shop.clock.now() * 1000) + 600_000
    assert await shop.books.reset(TENANT, (CALLS,)) == 1
    assert (await shop.books.look(TENANT, (CALLS,)))[0].cooling_until_ms == 0
    assert not await _is_refused(shop, make_hold(CALLS))


async def test_a_cooldown_that_outlasts_its_window_ends_with_a_reset_too(shop: Shop) -> None:
    await shop.books.post([make_hold(CALLS) for _ in range(4)])
    shop.clock.advance(120)
    assert await _is_refused(shop, make_hold(CALLS))
    await shop.books.reset(TENANT, (CALLS,))
    assert not await _is_refused(shop, make_hold(CALLS))


async def test_a_reset_begins_requests_and_tokens_anew_and_leaves_money_and_places(shop: Shop) -> None:
    holds = [make_hold(*EVERY, nano=100, tokens=200) for _ in range(2)]
    await shop.books.post([*holds, _settlement(holds[0], 50, tokens=150)])
    assert await shop.books.reset(TENANT, EVERY) == 3
    assert await _used(shop, *EVERY) == [150, 0, 1, 0, 0]
    for _ in range(2):
        assert not await _is_refused(shop, make_hold(CALLS, TOKENS, TOTAL, tokens=250))
    assert await _is_refused(shop, make_hold(TOKENS, tokens=1))


async def test_a_call_under_way_settles_where_it_began(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=100, tokens=200)
    await shop.books.post([hold])
    await shop.books.reset(TENANT, EVERY)
    assert await _used(shop, *EVERY) == [100, 0, 1, 0, 0]
    await shop.books.post([_settlement(hold, 60, tokens=150)])
    assert await _used(shop, *EVERY) == [60, 0, 0, 0, 0]
    assert [row[:3] for row in await shop.rows()] == [(hold.id, "settled", 60)]
    assert all(held == 0 for account in EVERY for _, held in shop.windows(account).values())


async def test_a_correction_after_a_reset_brings_no_counter_below_zero(shop: Shop) -> None:
    """A swept call was counted at its bound; what it really took is less, and the difference goes back."""
    hold = make_hold(*EVERY, nano=100, tokens=400)
    await shop.books.post([hold])
    shop.clock.advance(61)
    assert await shop.books.sweep() == 1
    assert await shop.books.reset(TENANT, EVERY) == 3
    await shop.books.post([_settlement(hold, 10, tokens=40)])
    assert await _used(shop, *EVERY) == [10, 0, 0, 0, 0]
    assert all(spent >= 0 for account in EVERY for spent, _ in shop.windows(account).values())
    assert await _is_refused(shop, make_hold(TOKENS, tokens=501))


async def test_one_reset_after_another_is_a_reset(shop: Shop) -> None:
    holds = [make_hold(*EVERY, tokens=100) for _ in range(2)]
    for hold in holds:
        await shop.books.post([hold])
        await shop.books.reset(TENANT, EVERY)
    await shop.books.post([_settlement(hold, tokens=30) for hold in holds])
    assert await _used(shop, *EVERY) == [0, 0, 0, 0, 0]
    assert sum(spent for spent, _ in shop.windows(TOKENS).values()) == 60


async def test_a_calendar_window_that_began_anew_ends_when_the_old_one_would(shop: Shop) -> None:
    await shop.books.post([make_hold(TOKENS, tokens=100)])
    (before,) = await shop.books.look(TENANT, (TOKENS,))
    await shop.books.reset(TENANT, (TOKENS,))
    await shop.books.post([make_hold(TOKENS, tokens=50)])
    (after,) = await shop.books.look(TENANT, (TOKENS,))
    assert (after.used, after.ends_ms) == (50, before.ends_ms)
    shop.clock.advance(DAY_MS / 1000)
    assert await _used(shop, TOKENS) == [0]
    assert not await _is_refused(shop, make_hold(TOKENS, tokens=500))


async def test_a_shard_that_is_not_in_service_is_not_guessed_at(redis_shop: RedisShop) -> None:
    for key in redis_shop.keys("state"):
        redis_shop.redis.hset(key, "status", "rebuilding")
    for ask in (redis_shop.books.look, redis_shop.books.reset):
        try:
            await ask(TENANT, EVERY)
        except BooksAway:
            continue
        raise AssertionError(ask)


async def test_a_reset_is_in_the_file(sqlite_books: SqliteBooks, clock: FakeClock) -> None:
    """And not only with the next entry: the process may end before that."""
    hold = make_hold(TOKENS, tokens=100)
    await sqlite_books.post([hold, _settlement(hold, tokens=90)])
    await sqlite_books.drain()
    await sqlite_books.reset(TENANT, (TOKENS,))
    await sqlite_books.close()
    fresh = SqliteBooks(sqlite_books.path, clock=clock)
    await fresh.open()
    try:
        assert [one.used for one in await fresh.look(TENANT, (TOKENS,))] == [0]
    finally:
        await fresh.close()
