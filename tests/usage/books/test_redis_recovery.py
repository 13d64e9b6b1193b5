"""A Redis that forgot everything: no budget allows more than before, and nothing that was held is lost."""

from contextlib import suppress

import pytest

from gateway.accounts import Account, Hold, Settlement
from gateway.errors import BooksAway
from tests.support.clock import BEGIN, FakeClock
from tests.support.engine import TENANT, make_account, make_entry, make_hold
from tests.support.redis_server import OwnRedis
from tests.usage.books.conftest import Open
from tests.usage.books.shops import Ledger, RedisShop, counted, make_ready
from usage.books.redis import RedisBooks
from usage.books.redis_recovery import Spent
from usage.books.shards import journal_key, shard_key, shard_of

BUDGET = make_account("nano", limit=1_000)
SOFT = make_account("nano", limit=1_000, hard=False, id="soft")
PLACES = make_account("concurrency", limit=5, window="none")
SHARD = shard_of(TENANT)
STATE = shard_key(SHARD, "state")
START, ENDLESS = 0, 1 << 53


@pytest.fixture
async def shop(server: OwnRedis, opened: Open, clock: FakeClock) -> RedisShop:
    """Books in service, on a server of the test's own; they take three seconds to be rebuilt."""
    books = await opened(server.url, rebuild_ms=3_000)
    shop = RedisShop(books, server.client, clock)
    await _rebuild(shop)
    await make_ready(books)
    return shop


def _settlement(hold: Hold, nano: int) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


async def _grant(books: RedisBooks, nano: int, *accounts: Account) -> Hold:
    hold = make_hold(*(accounts or (BUDGET, PLACES)), nano=nano)
    (verdict,) = await books.post([hold])
    assert (verdict.failed, verdict.refusal) == (False, None)
    return hold


async def _most(books: RedisBooks) -> int:
    """How much money the budget still gives."""
    (verdict,) = await books.post([make_hold(BUDGET, nano=1_001)])
    assert verdict.refusal is not None
    return verdict.refusal.remaining


async def _rebuild(shop: RedisShop, *others: RedisBooks, seconds: int = 6) -> None:
    """Let time pass, with every process looking once a second."""
    for _ in range(seconds):
        for books in (shop.books, *others):
            with suppress(BooksAway):  # of a connection to a server that is gone
                await books.tend()
        shop.clock.advance(1)


async def _is_away(books: RedisBooks) -> bool:
    try:
        await books.post([make_hold(BUDGET, nano=1)])
    except BooksAway:
        return True
    return False


async def test_after_a_wipe_everything_that_a_process_knows_is_back(
    shop: RedisShop, server: OwnRedis
) -> None:
    open_, settled = await _grant(shop.books, 400), await _grant(shop.books, 350)
    await shop.books.post([_settlement(settled, 300)])
    server.wipe()
    assert await _is_away(shop.books)
    await _rebuild(shop)
    assert (counted(shop, BUDGET), counted(shop, PLACES)) == ((300, 400), (0, 1))
    assert await _most(shop.books) == 300
    await shop.books.post([_settlement(open_, 100), _settlement(settled, 300)])
    assert counted(shop, BUDGET) == (400, 0)
    assert sorted(row[2] for row in shop.lines()) == [100, 300]


async def test_what_the_ledger_has_is_summed_and_not_brought_back(
    shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    drained, waiting = await _grant(shop.books, 300), await _grant(shop.books, 200)
    await shop.books.post([_settlement(drained, 300)])
    await shop.books.post([_settlement(waiting, 200)])
    server.wipe()
    ledger.known = {drained.id}
    ledger.spent[SHARD] = [Spent(BUDGET.id, START, ENDLESS, 450)]  # another process's 150 among it
    await _rebuild(shop)
    assert counted(shop, BUDGET) == (650, 0)
    assert [row[0] for row in shop.lines()] == [waiting.id]


async def test_sums_of_windows_that_are_not_over_count_on(
    shop: RedisShop, server: OwnRedis, ledger: Ledger, clock: FakeClock
) -> None:
    daily, minute = make_account("requests", 5, "day"), make_account("requests", 5, "minute")
    midnight = round(BEGIN) * 1_000
    now_ms = round(clock.now() * 1_000)
    server.wipe()
    ledger.spent[SHARD] = [
        Spent(daily.id, midnight, midnight + 86_400_000, 4),
        Spent(minute.id, now_ms, now_ms + 60_000, 3),
    ]
    await _rebuild(shop)
    verdicts = await shop.books.post([make_hold(daily), make_hold(daily)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, False]
    verdicts = await shop.books.post([make_hold(minute), make_hold(minute), make_hold(minute)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, True, False]
    clock.advance(86_400)
    assert [verdict.refusal for verdict in await shop.books.post([make_hold(daily, minute)])] == [None]


async def test_while_a_shard_is_rebuilt_hard_accounts_rest(shop: RedisShop, server: OwnRedis) -> None:
    hold = await _grant(shop.books, 400, BUDGET, SOFT)
    server.wipe()
    await shop.books.tend()
    assert shop.state(SHARD)["status"] == "lost"
    shop.clock.advance(1)
    await _rebuild(shop, seconds=2)
    assert shop.state(SHARD)["status"] == "rebuilding"
    verdicts = await shop.books.post(
        [make_hold(BUDGET, nano=1), make_hold(SOFT, nano=1), _settlement(hold, 30)]
    )
    assert [verdict.failed for verdict in verdicts] == [True, False, False]
    assert any("rebuilding" in wrong for wrong in (await shop.books.condition()).wrong)
    await _rebuild(shop, seconds=3)
    assert not await _is_away(shop.books)
    assert (counted(shop, BUDGET), counted(shop, SOFT)) == ((30, 1), (30, 1))


async def test_a_lost_state_alone_waits_for_the_journal_to_be_drained(
    shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    open_, settled = await _grant(shop.books, 400), await _grant(shop.books, 350)
    await shop.books.post([_settlement(settled, 300)])
    shop.redis.delete(STATE)
    await _rebuild(shop)
    assert shop.state(SHARD)["status"] == "lost"
    ledger.known, ledger.spent[SHARD] = {settled.id}, [Spent(BUDGET.id, START, ENDLESS, 300)]
    shop.redis.xtrim(journal_key(SHARD), maxlen=0, approximate=False)
    await _rebuild(shop)
    await shop.books.post([_settlement(open_, 400)])
    assert counted(shop, BUDGET) == (700, 0)
    assert [row[2] for row in shop.lines()] == [400]


async def test_a_ledger_that_is_away_is_waited_for(
    server: OwnRedis, opened: Open, ledger: Ledger, clock: FakeClock
) -> None:
    async def away(shard: int, now_ms: int) -> list[Spent]:
        if ledger.known:
            raise BooksAway
        return []

    ledger.known = {make_hold().id}
    books = await opened(server.url, sums=away)
    shop = RedisShop(books, server.client, clock)
    await _rebuild(shop)
    assert await _is_away(books)
    ledger.known = set()
    await _rebuild(shop)
    assert not await _is_away(books)


async def test_whoever_claimed_it_is_left_to_rebuild_it(shop: RedisShop, server: OwnRedis) -> None:
    server.wipe()
    shop.redis.set(shard_key(SHARD, "claim"), "another")
    await _rebuild(shop)
    assert await _is_away(shop.books)
    shop.redis.delete(shard_key(SHARD, "claim"))  # as its lease does when it died
    await _rebuild(shop)
    assert not await _is_away(shop.books)


async def test_a_second_loss_on_the_way_back_is_no_different(shop: RedisShop, server: OwnRedis) -> None:
    hold = await _grant(shop.books, 400)
    for seconds in (1, 2, 3, 4):
        server.wipe()
        await _rebuild(shop, seconds=seconds)
    await _rebuild(shop)
    assert counted(shop, BUDGET) == (0, 400)
    await shop.books.post([_settlement(hold, 100)])
    assert await _most(shop.books) == 900


async def test_a_hold_that_nobody_kept_alive_is_not_brought_back(shop: RedisShop, server: OwnRedis) -> None:
    await _grant(shop.books, 400)
    shop.clock.advance(61)
    await shop.books.tend()
    server.wipe()
    await _rebuild(shop)
    assert counted(shop, BUDGET) == (0, 0)


async def test_a_restart_that_loses_nothing_changes_nothing(shop: RedisShop, server: OwnRedis) -> None:
    open_, settled = await _grant(shop.books, 400), await _grant(shop.books, 350)
    await shop.books.post([_settlement(settled, 300)])
    before = {key: shop.redis.dump(key) for key in shop.keys("[ahdj]*")}
    server.restart()
    await _rebuild(shop)
    assert {key: shop.redis.dump(key) for key in shop.keys("[ahdj]*")} == before
    await shop.books.post([_settlement(open_, 100)])
    assert counted(shop, BUDGET) == (400, 0)


async def test_what_is_safe_in_the_ledger_is_forgotten_here(shop: RedisShop) -> None:
    kept = shop.books._outstanding[SHARD]
    for _ in range(20):
        hold = await _grant(shop.books, 10)
        await shop.books.post([_settlement(hold, 1)])
    newest = shop.redis.xinfo_stream(journal_key(SHARD))["last-generated-id"]
    await _rebuild(shop, seconds=20)
    assert len(kept.written) == 20
    shop.redis.hset(STATE, "drained", newest)
    shop.clock.advance(11)
    await shop.books.tend()
    assert (len(kept.written), len(kept.holds)) == (0, 0)
