"""A Redis that forgot everything: no budget allows more than before, and nothing that was held is lost."""

from contextlib import suppress

import pytest
from msgspec.structs import replace

from gateway.accounts import Renewal
from gateway.errors import BooksAway
from tests.support.engine import TENANT, make_account, make_hold
from tests.support.redis_server import OwnRedis
from tests.usage.books.losses import BUDGET, SHARD, STATE, TOTAL, grant, is_away, most, rebuild, settlement
from tests.usage.books.shops import Ledger, RedisShop, counted
from usage.books.redis_recovery import Spent
from usage.books.shards import journal_key, shard_key

SOFT = make_account("nano", limit=1_000, hard=False, id="soft")
PLACES = make_account("concurrency", limit=5, window="none")


async def test_after_a_wipe_everything_that_a_process_knows_is_back(
    own_shop: RedisShop, server: OwnRedis
) -> None:
    open_ = await grant(own_shop.books, 400, BUDGET, PLACES)
    settled = await grant(own_shop.books, 350, BUDGET, PLACES)
    await own_shop.books.post([settlement(settled, 300)])
    server.wipe()
    assert await is_away(own_shop.books)
    await rebuild(own_shop)
    assert (counted(own_shop, BUDGET), counted(own_shop, PLACES)) == ((300, 400), (0, 1))
    assert await most(own_shop.books) == 300
    await own_shop.books.post([settlement(open_, 100), settlement(settled, 300)])
    assert counted(own_shop, BUDGET) == (400, 0)
    assert sorted(row[2] for row in own_shop.lines()) == [100, 300]


async def test_while_a_shard_is_rebuilt_hard_accounts_rest(own_shop: RedisShop, server: OwnRedis) -> None:
    hold = await grant(own_shop.books, 400, BUDGET, SOFT)
    server.wipe()
    await own_shop.books.tend()
    assert own_shop.state(SHARD)["status"] == "lost"
    own_shop.clock.advance(1)
    await rebuild(own_shop, seconds=2)
    assert own_shop.state(SHARD)["status"] == "rebuilding"
    verdicts = await own_shop.books.post(
        [make_hold(BUDGET, nano=1), make_hold(SOFT, nano=1), settlement(hold, 30)]
    )
    assert [verdict.failed for verdict in verdicts] == [True, False, False]
    assert any("rebuilding" in wrong for wrong in (await own_shop.books.condition()).wrong)
    await rebuild(own_shop, seconds=3)
    assert not await is_away(own_shop.books)
    assert (counted(own_shop, BUDGET), counted(own_shop, SOFT)) == ((30, 1), (30, 1))


async def test_whoever_claimed_it_is_left_to_rebuild_it(own_shop: RedisShop, server: OwnRedis) -> None:
    server.wipe()
    own_shop.redis.set(shard_key(SHARD, "claim"), "another")
    await rebuild(own_shop)
    assert await is_away(own_shop.books)
    own_shop.redis.delete(shard_key(SHARD, "claim"))  # as its lease does when it died
    await rebuild(own_shop)
    assert not await is_away(own_shop.books)


async def test_a_second_loss_on_the_way_back_is_no_different(own_shop: RedisShop, server: OwnRedis) -> None:
    hold = await grant(own_shop.books, 400)
    for seconds in (1, 2, 3, 4):
        server.wipe()
        await rebuild(own_shop, seconds=seconds)
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (0, 400)
    await own_shop.books.post([settlement(hold, 100)])
    assert await most(own_shop.books) == 900


async def test_a_call_that_outlives_its_lease_while_redis_is_away_is_brought_back(
    own_shop: RedisShop, server: OwnRedis
) -> None:
    hold = await grant(own_shop.books, 400)
    server.kill()
    for _ in range(3):
        own_shop.clock.advance(30)
        with pytest.raises(BooksAway):
            await own_shop.books.post([Renewal(id=hold.id, tenant_id=TENANT)])
    server.start()
    server.wipe()
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (0, 400)
    assert await own_shop.books.sweep() == 0


async def test_nobody_is_swept_before_they_could_say_that_they_live(
    own_shop: RedisShop, server: OwnRedis
) -> None:
    hold = await grant(own_shop.books, 400)
    own_shop.clock.advance(50)
    await own_shop.books.post([Renewal(id=hold.id, tenant_id=TENANT)])
    own_shop.redis.zadd(shard_key(SHARD, "leases"), {hold.id.hex: 0})  # what a replica knows that fell behind
    server.restart()
    for _ in range(5):
        with suppress(BooksAway):
            await own_shop.books.sweep()
        await rebuild(own_shop, seconds=1)
    assert await own_shop.books.sweep() == 0
    assert own_shop.open_holds() == {hold.id}


async def test_a_settlement_that_was_repeated_is_kept_as_long_as_the_first(
    own_shop: RedisShop, server: OwnRedis
) -> None:
    hold = await grant(own_shop.books, 400)
    await own_shop.books.post([settlement(hold, 300)])
    own_shop.books._outstanding[SHARD].written.clear()  # as if the reply had been lost
    await own_shop.books.post([settlement(hold, 300)])
    await rebuild(own_shop, seconds=20)
    server.wipe()
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (300, 0)


@pytest.mark.parametrize("is_drained", [False, True])
async def test_a_correction_that_was_not_in_the_ledger_is_brought_back(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger, is_drained: bool
) -> None:
    tokens = make_account("tokens", limit=1_000)
    hold = make_hold(BUDGET, tokens, nano=400, tokens=90)
    await own_shop.books.post([hold])
    own_shop.clock.advance(61)
    assert await own_shop.books.sweep() == 1
    await own_shop.books.post([replace(settlement(hold, 100), tokens=20)])
    unsettled, correction = await own_shop.rows()
    ledger.known = {unsettled[0], correction[0]} if is_drained else {unsettled[0]}
    booked = (100, 20) if is_drained else (400, 90)
    spent = zip((BUDGET, tokens), booked, strict=True)
    ledger.spent[SHARD] = [Spent(account.id, *TOTAL, amount) for account, amount in spent]
    server.wipe()
    await rebuild(own_shop)
    assert (counted(own_shop, BUDGET), counted(own_shop, tokens)) == ((100, 0), (20, 0))
    assert await own_shop.rows() == ([] if is_drained else [correction])


async def test_a_correction_for_a_window_that_turned_gives_nothing_back_in_the_next(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    daily = make_account("nano", limit=1_000, window="day")
    hold = await grant(own_shop.books, 400, daily)
    own_shop.clock.advance(86_400)
    assert await own_shop.books.sweep() == 1
    await own_shop.books.post([settlement(hold, 100)])
    unsettled, correction = await own_shop.rows()
    ledger.known = {unsettled[0]}
    server.wipe()
    await rebuild(own_shop)
    assert counted(own_shop, daily) == (0, 0)
    assert await own_shop.rows() == [correction]


async def test_a_hold_that_nobody_kept_alive_is_not_brought_back(
    own_shop: RedisShop, server: OwnRedis
) -> None:
    await grant(own_shop.books, 400)
    own_shop.clock.advance(61)
    await own_shop.books.tend()
    server.wipe()
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (0, 0)


async def test_a_restart_that_loses_nothing_changes_nothing(own_shop: RedisShop, server: OwnRedis) -> None:
    open_, settled = await grant(own_shop.books, 400), await grant(own_shop.books, 350)
    await own_shop.books.post([settlement(settled, 300)])
    before = {key: own_shop.redis.dump(key) for key in own_shop.keys("[ahdj]*")}
    server.restart()
    await rebuild(own_shop)
    assert {key: own_shop.redis.dump(key) for key in own_shop.keys("[ahdj]*")} == before
    await own_shop.books.post([settlement(open_, 100)])
    assert counted(own_shop, BUDGET) == (400, 0)


async def test_what_is_safe_in_the_ledger_is_forgotten_here(own_shop: RedisShop) -> None:
    kept = own_shop.books._outstanding[SHARD]
    for _ in range(20):
        hold = await grant(own_shop.books, 10)
        await own_shop.books.post([settlement(hold, 1)])
    newest = own_shop.redis.xinfo_stream(journal_key(SHARD))["last-generated-id"]
    await rebuild(own_shop, seconds=20)
    assert len(kept.written) == 20
    own_shop.redis.hset(STATE, "drained", newest)
    own_shop.clock.advance(11)
    await own_shop.books.tend()
    assert (len(kept.written), len(kept.holds)) == (0, 0)
