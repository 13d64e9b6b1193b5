"""What a Redis has forgotten, the ledger may know, and what was brought to it since is not counted twice."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from gateway.accounts import Renewal
from gateway.errors import BooksAway
from tests.support.clock import BEGIN, FakeClock
from tests.support.engine import TENANT, make_account, make_hold
from tests.support.redis_server import OwnRedis
from tests.usage.books.conftest import Open
from tests.usage.books.losses import BUDGET, SHARD, STATE, TOTAL, grant, is_away, most, rebuild, settlement
from tests.usage.books.shops import Ledger, RedisShop, counted
from usage.books.redis_recovery import Spent
from usage.books.shards import journal_key, shard_key


async def test_what_the_ledger_has_is_summed_and_not_brought_back(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    drained, waiting = await grant(own_shop.books, 300), await grant(own_shop.books, 200)
    await own_shop.books.post([settlement(drained, 300)])
    await own_shop.books.post([settlement(waiting, 200)])
    server.wipe()
    ledger.known = {drained.id}
    ledger.spent[SHARD] = [Spent(BUDGET.id, *TOTAL, 450)]  # another process's 150 among it
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (650, 0)
    assert [row[0] for row in own_shop.lines()] == [waiting.id]


async def test_sums_of_windows_that_are_not_over_count_on(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger, clock: FakeClock
) -> None:
    daily, minute = make_account("requests", 5, "day"), make_account("requests", 5, "minute")
    midnight = round(BEGIN) * 1_000
    now_ms = round(clock.now() * 1_000)
    server.wipe()
    ledger.spent[SHARD] = [
        Spent(daily.id, midnight, midnight + 86_400_000, 4),
        Spent(minute.id, now_ms, now_ms + 60_000, 3),
    ]
    await rebuild(own_shop)
    verdicts = await own_shop.books.post([make_hold(daily), make_hold(daily)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, False]
    verdicts = await own_shop.books.post([make_hold(minute), make_hold(minute), make_hold(minute)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, True, False]
    clock.advance(86_400)
    assert [verdict.refusal for verdict in await own_shop.books.post([make_hold(daily, minute)])] == [None]


@pytest.mark.parametrize("ledger_says", [250, 300])
async def test_a_lost_state_alone_waits_for_the_journal_to_be_drained(
    ledger_says: int, own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    open_, settled = await grant(own_shop.books, 400), await grant(own_shop.books, 350)
    await own_shop.books.post([settlement(settled, 300)])
    own_shop.redis.delete(STATE)
    await rebuild(own_shop)
    assert own_shop.state(SHARD)["status"] == "lost"
    ledger.known, ledger.spent[SHARD] = {settled.id}, [Spent(BUDGET.id, *TOTAL, ledger_says)]
    own_shop.redis.xtrim(journal_key(SHARD), maxlen=0, approximate=False)
    await rebuild(own_shop)
    await own_shop.books.post([settlement(open_, 400)])
    assert counted(own_shop, BUDGET) == (700, 0)
    assert [row[2] for row in own_shop.lines()] == [400]


async def test_what_was_granted_is_brought_back_whatever_a_limit_says(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    await grant(own_shop.books, 400)
    server.wipe()
    ledger.spent[SHARD] = [Spent(BUDGET.id, *TOTAL, 900)]
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (900, 400)
    assert await most(own_shop.books) == 0


async def test_what_could_not_be_brought_back_at_once_is_brought_back_later(
    server: OwnRedis, opened: Open, ledger: Ledger, clock: FakeClock
) -> None:
    away: list[object] = []

    async def in_ledger(identifiers: Sequence[UUID]) -> set[UUID]:
        if away:
            await books.post([Renewal(id=make_hold().id, tenant_id=TENANT)])  # calls go on meanwhile
            raise BooksAway
        return set()

    books = await opened(server.url, in_ledger=in_ledger)
    own_shop = RedisShop(books, server.client, clock)
    await rebuild(own_shop)
    hold = await grant(books, 400)
    await books.post([settlement(hold, 300)])
    server.wipe()
    away.append("the ledger")
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (0, 0)
    away.clear()
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (300, 0)


async def test_a_shard_that_waits_for_the_ledger_keeps_no_other_from_its_way_back(
    server: OwnRedis, opened: Open, ledger: Ledger, clock: FakeClock
) -> None:
    async def away(_: Sequence[UUID]) -> set[UUID]:
        raise BooksAway

    books = await opened(server.url, in_ledger=away)
    shop = RedisShop(books, server.client, clock)
    await rebuild(shop)
    await grant(books, 400)
    for lost in (SHARD, SHARD + 1):
        server.client.delete(shard_key(lost, "state"))
        await rebuild(shop)
    assert counted(shop, BUDGET) == (0, 400)
    assert shop.state(SHARD + 1)["status"] == "ready"


async def test_a_ledger_that_is_away_is_waited_for(
    server: OwnRedis, opened: Open, ledger: Ledger, clock: FakeClock
) -> None:
    async def away(shard: int, now_ms: int) -> list[Spent]:
        if ledger.known:
            raise BooksAway
        return []

    ledger.known = {make_hold().id}
    books = await opened(server.url, sums=away)
    own_shop = RedisShop(books, server.client, clock)
    await rebuild(own_shop)
    assert await is_away(books)
    ledger.known = set()
    await rebuild(own_shop)
    assert not await is_away(books)
