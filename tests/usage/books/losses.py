"""What tests of lost writes have in common: a budget, calls on it, and time that passes."""

from contextlib import suppress

from gateway.accounts import Account, Hold, Settlement
from gateway.errors import BooksAway
from tests.support.clock import FakeClock
from tests.support.engine import TENANT, make_account, make_entry, make_hold
from tests.usage.books.shops import RedisShop
from usage.books.redis import RedisBooks
from usage.books.shards import shard_key, shard_of

BUDGET = make_account("nano", limit=1_000)
SHARD = shard_of(TENANT)
STATE = shard_key(SHARD, "state")
TOTAL = (0, 1 << 53)
"""The window of a budget that is for good."""


def settlement(hold: Hold, nano: int) -> Settlement:
    """The call's end."""
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


async def grant(books: RedisBooks, nano: int, *accounts: Account) -> Hold:
    """A hold that is granted."""
    hold = make_hold(*(accounts or (BUDGET,)), nano=nano)
    (verdict,) = await books.post([hold])
    assert (verdict.failed, verdict.refusal) == (False, None)
    return hold


async def granted(books: RedisBooks, *nanos: int) -> int:
    """How much of what is asked for is held; nothing while the books are away."""
    holds = [make_hold(BUDGET, nano=nano) for nano in nanos]
    try:
        verdicts = await books.post(holds)
    except BooksAway:
        return 0
    is_granted = [verdict.refusal is None and not verdict.failed for verdict in verdicts]
    return sum(nano for nano, one in zip(nanos, is_granted, strict=True) if one)


async def most(books: RedisBooks) -> int:
    """How much money the budget still gives."""
    (verdict,) = await books.post([make_hold(BUDGET, nano=BUDGET.limit + 1)])
    assert verdict.refusal is not None
    return verdict.refusal.remaining


async def is_away(books: RedisBooks) -> bool:
    """Whether a call on the budget finds no books."""
    try:
        await books.post([make_hold(BUDGET, nano=1)])
    except BooksAway:
        return True
    return False


async def pass_time(clock: FakeClock, *processes: RedisBooks, seconds: int = 6) -> None:
    """Every process looks once a second; that is long enough to be rebuilt."""
    for _ in range(seconds):
        for books in processes:
            with suppress(BooksAway):  # of a connection to a server that is gone
                await books.tend()
        clock.advance(1)


async def rebuild(shop: RedisShop, *, seconds: int = 6) -> None:
    """Let the only process look as often as it takes."""
    await pass_time(shop.clock, shop.books, seconds=seconds)
