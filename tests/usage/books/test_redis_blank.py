"""A Redis without a past: with a ledger that never had an entry, nobody waits for what nobody can know."""

import pytest

from gateway.errors import BooksAway
from tests.support.clock import FakeClock
from tests.support.redis_server import OwnRedis
from tests.usage.books.conftest import Open
from tests.usage.books.losses import BUDGET, SHARD, STATE, grant, is_away, rebuild, settlement
from tests.usage.books.shops import Ledger, RedisShop, counted


async def test_a_first_start_waits_for_the_living_alone(
    server: OwnRedis, opened: Open, ledger: Ledger, clock: FakeClock
) -> None:
    ledger.blank = True
    books = await opened(server.url, rebuild_ms=3_000)
    shop = RedisShop(books, server.client, clock)
    assert shop.state(SHARD)["status"] == "rebuilding"
    clock.advance(2.9)
    assert await is_away(books)
    clock.advance(0.1)
    assert not await is_away(books)


async def test_what_drainers_had_in_their_hands_is_counted_too(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    """The first entries of all reach the ledger when it was found empty already."""
    open_, settled = await grant(own_shop.books, 400), await grant(own_shop.books, 350)
    await own_shop.books.post([settlement(settled, 300)])
    ledger.blank = True
    server.wipe()
    await own_shop.books.tend()
    assert own_shop.state(SHARD)["status"] == "rebuilding"
    ledger.blank, ledger.known = False, {settled.id}
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (300, 400)
    await own_shop.books.post([settlement(open_, 100), settlement(settled, 300)])
    assert counted(own_shop, BUDGET) == (400, 0)


async def test_what_was_never_drained_is_brought_back_however_old(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    settled = await grant(own_shop.books, 350)
    await own_shop.books.post([settlement(settled, 300)])
    own_shop.clock.advance(3_600)
    ledger.blank = True
    server.wipe()
    await rebuild(own_shop)
    assert counted(own_shop, BUDGET) == (300, 0)
    assert [row[0] for row in own_shop.lines()] == [settled.id]


async def test_what_is_left_of_the_journal_is_waited_for(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    settled = await grant(own_shop.books, 350)
    await own_shop.books.post([settlement(settled, 300)])
    ledger.blank = True
    own_shop.redis.delete(STATE)
    await rebuild(own_shop)
    assert own_shop.state(SHARD)["status"] == "lost"


async def test_a_loss_on_the_way_is_summed_when_there_is_something_by_then(
    own_shop: RedisShop, server: OwnRedis, ledger: Ledger
) -> None:
    ledger.blank = True
    server.wipe()
    await own_shop.books.tend()
    assert own_shop.state(SHARD)["status"] == "rebuilding"
    ledger.blank = False
    server.restart()
    await rebuild(own_shop, seconds=2)  # the first look finds nobody
    assert own_shop.state(SHARD)["status"] == "lost"
    await rebuild(own_shop)
    assert (own_shop.state(SHARD)["status"], own_shop.state(SHARD)["sums"]) == ("ready", "1")


async def test_a_ledger_that_cannot_be_asked_is_not_taken_for_blank(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    async def away() -> bool:
        raise BooksAway

    books = await opened(server.url, rebuild_ms=3_000, is_blank=away)
    shop = RedisShop(books, server.client, clock)
    await rebuild(shop)
    assert shop.state(SHARD)["status"] == "lost"
    with pytest.raises(BooksAway):
        await grant(books, 1)
