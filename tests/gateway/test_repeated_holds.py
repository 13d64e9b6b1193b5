"""A hold whose first reply was lost, in a process that stood still until it was swept."""

import asyncio
from collections.abc import Sequence

from gateway.accounts import Order, Verdict
from gateway.batching import Teller
from gateway.errors import BooksAway
from gateway.memory import MemoryBooks, MemorySpill
from tests.support.clock import FakeClock
from tests.support.engine import make_account, make_hold

BUDGET = make_account("nano", limit=1_000)


class ForgetfulBooks(MemoryBooks):
    """Books that do what they are asked, and whose first reply nobody hears before the lease is over."""

    heard = False

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        verdicts = await super().post(orders)
        if self.heard:
            return verdicts
        self.heard = True
        self.clock.advance(120)  # type: ignore[attr-defined]  # the tests' clock
        await self.sweep()
        self.clock.advance(-120)  # type: ignore[attr-defined]
        raise BooksAway


async def test_what_was_swept_of_a_hold_that_is_refused_then_is_given_back(clock: FakeClock) -> None:
    books = ForgetfulBooks(clock)  # type: ignore[arg-type]
    teller = Teller(books, MemorySpill(), clock)
    hold = make_hold(BUDGET, nano=700)
    asking = asyncio.create_task(teller.admit(hold))
    await clock.turn(0.5)
    assert (await asking).refusal is not None
    await teller.drain()
    assert sum(entry.charge_nano for entry in books.entries.values()) == 0
    assert sum(counter.spent + counter.held for counter in books.tally.counters.values()) == 0
