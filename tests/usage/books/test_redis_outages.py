"""Replies that are lost, and servers that hang, are full or are away."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.accounts import Claim, Claimed, Hold, Order, Renewal, Settlement
from gateway.errors import BooksAway
from tests.support.clock import FakeClock
from tests.support.engine import TENANT, make_account, make_entry, make_hold
from tests.support.processes import frozen
from tests.support.redis_server import OwnRedis
from tests.usage.books.conftest import Open
from tests.usage.books.proxy import proxied
from tests.usage.books.shops import RedisShop, counted, make_ready
from usage.books.redis import RedisBooks

BUDGET = make_account("nano", limit=1_000)
PLACES = make_account("concurrency", limit=5, window="none")
CLAIM = Claim(key="k" * 64, body="b" * 64)


def _settlement(hold: Hold, nano: int) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


def _shop(books: RedisBooks, server: OwnRedis, clock: FakeClock) -> RedisShop:
    return RedisShop(books, server.client, clock)


OPENED: dict[str, tuple[Callable[[Hold], Order], tuple[int, int], list[int]]] = {
    "repeat": (lambda hold: hold, (0, 400), []),
    "raise": (lambda hold: make_hold(*hold.accounts, identifier=hold.id, nano=700), (0, 700), []),
    "renewal": (lambda hold: Renewal(id=hold.id, tenant_id=TENANT), (0, 400), []),
    "settlement": (lambda hold: _settlement(hold, 300), (300, 0), [300]),
}


@pytest.mark.parametrize("kind", OPENED)
async def test_an_order_whose_reply_was_lost_may_be_posted_again(
    kind: str, server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    make, expected, charges = OPENED[kind]
    async with proxied(server.port) as proxy:
        books = await opened(f"redis://127.0.0.1:{proxy.port}")
        await make_ready(books)
        hold = make_hold(BUDGET, PLACES, nano=400)
        await books.post([hold])
        proxy.swallow_after = 0
        with pytest.raises(BooksAway):
            await books.post([make(hold)])
        assert proxy.swallowed.is_set()
        shop = _shop(books, server, clock)
        assert counted(shop, BUDGET) == expected  # it was carried out
        await books.post([make(hold)])
        assert counted(shop, BUDGET) == expected
        assert [row[2] for row in shop.lines()] == charges


async def test_a_hold_whose_reply_was_lost_may_be_asked_for_again(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    async with proxied(server.port) as proxy:
        books = await opened(f"redis://127.0.0.1:{proxy.port}")
        await make_ready(books)
        hold = make_hold(BUDGET, PLACES, nano=900)
        proxy.swallow_after = 0
        with pytest.raises(BooksAway):
            await books.post([hold])
        (verdict,) = await books.post([hold])
        assert verdict.refusal is None
        assert counted(_shop(books, server, clock), BUDGET) == (0, 900)


@pytest.mark.parametrize(("kind", "known"), [("swept", Claimed(state="unknown")), ("unknown", None)])
async def test_an_answer_is_not_kept_before_its_entry_is(
    kind: str, known: Claimed | None, server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    """Its process may die between the two tries that such a settlement takes."""
    async with proxied(server.port) as proxy:
        books = await opened(f"redis://127.0.0.1:{proxy.port}")
        await make_ready(books)
        hold = replace(make_hold(BUDGET, nano=400), claim=CLAIM)
        if kind == "swept":
            await books.post([hold])
            clock.advance(61)
            await books.sweep()
        proxy.swallow_after = 0
        with pytest.raises(BooksAway):
            await books.post([replace(_settlement(hold, 300), answer=b"sealed")])
        (verdict,) = await books.post([replace(make_hold(BUDGET, nano=400), claim=CLAIM)])
        assert verdict.claimed == known


@pytest.mark.parametrize("heard", [0, 1], ids=["first reply", "second reply"])
@pytest.mark.parametrize("kind", ["swept", "unknown"])
async def test_a_late_settlement_whose_reply_was_lost_counts_once(
    kind: str, heard: int, server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    async with proxied(server.port) as proxy:
        books = await opened(f"redis://127.0.0.1:{proxy.port}")
        await make_ready(books)
        hold = make_hold(BUDGET, PLACES, nano=400)
        if kind == "swept":
            await books.post([hold])
            clock.advance(61)
            await books.sweep()
        proxy.swallow_after = heard
        with pytest.raises(BooksAway):
            await books.post([_settlement(hold, 300)])
        for _ in range(2):
            await books.post([_settlement(hold, 300)])
        shop = _shop(books, server, clock)
        assert (counted(shop, BUDGET), counted(shop, PLACES)) == ((300, 0), (0, 0))
        assert [row[2] for row in shop.lines()] == ([400, -100] if kind == "swept" else [300])


async def test_a_sweep_whose_reply_was_lost_sweeps_nothing_twice(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    async with proxied(server.port) as proxy:
        books = await opened(f"redis://127.0.0.1:{proxy.port}")
        await make_ready(books)
        await books.post([make_hold(BUDGET, PLACES, nano=400)])
        clock.advance(61)
        proxy.swallow_after = 0
        with pytest.raises(BooksAway):
            await books.sweep()
        assert await books.sweep() == 0
        shop = _shop(books, server, clock)
        assert (counted(shop, BUDGET), len(shop.lines())) == ((400, 0), 1)


async def test_a_caller_who_leaves_does_not_leave_a_reply_to_the_next(server: OwnRedis, opened: Open) -> None:
    async with proxied(server.port) as proxy:
        books = await opened(f"redis://127.0.0.1:{proxy.port}")
        await make_ready(books)
        proxy.gate.clear()
        leaving = asyncio.create_task(books.post([make_hold(BUDGET, nano=1_001)]))
        await asyncio.wait_for(proxy.held_up.wait(), 5)
        leaving.cancel()
        await asyncio.wait([leaving])
        proxy.gate.set()
        verdicts = [(await books.post([make_hold(BUDGET, nano=10)]))[0] for _ in range(2)]
        assert [verdict.refusal for verdict in verdicts] == [None, None]


async def test_a_redis_that_hangs_is_away_and_comes_back(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    books = await opened(server.url, reply_timeout=0.2)
    await make_ready(books)
    hold, refused = make_hold(BUDGET, nano=600), make_hold(BUDGET, nano=600)
    with frozen(server.pid):
        began = time.monotonic()
        for order in (hold, refused):
            with pytest.raises(BooksAway):
                await books.post([order])
        assert time.monotonic() - began < 2
    verdicts = await books.post([hold, refused, _settlement(hold, 500)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, False, True]
    assert counted(_shop(books, server, clock), BUDGET) == (500, 0)


async def test_books_open_before_redis_does(tmp_path: Path, opened: Open, clock: FakeClock) -> None:
    server = OwnRedis(tmp_path)
    books = await opened(server.url)
    with pytest.raises(BooksAway):
        await books.post([make_hold(BUDGET, nano=1)])
    server.start()
    try:
        await make_ready(books)
        await books.post([make_hold(BUDGET, nano=1)])
        assert counted(_shop(books, server, clock), BUDGET) == (0, 1)
    finally:
        await books.close()
        server.kill()


async def test_a_redis_that_is_full_is_away_and_nothing_was_half_done(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    books = await opened(server.url)
    await make_ready(books)
    hold = make_hold(BUDGET, PLACES, nano=400)
    await books.post([hold])
    server.client.config_set("maxmemory", "1")
    try:
        with pytest.raises(BooksAway):
            await books.post([_settlement(hold, 300), make_hold(BUDGET, nano=1)])
    finally:
        server.client.config_set("maxmemory", "0")
    shop = _shop(books, server, clock)
    assert (counted(shop, BUDGET), shop.lines()) == ((0, 400), [])
    await books.post([_settlement(hold, 300)])
    assert counted(shop, BUDGET) == (300, 0)
