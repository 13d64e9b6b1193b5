"""Books that are away, and a process that makes calls without them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.accounts import Order, Settlement, Verdict
from gateway.batching import HOLD_SECONDS, Teller
from gateway.call import Outcome
from gateway.errors import BooksAway
from gateway.exchange import Timeouts
from gateway.memory import MemoryBooks
from gateway.principal import Policy
from gateway.tending import Tending
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, Rig, make_deployment, make_model, make_provider
from tests.support.script import Act

LEASE_SECONDS = 60.0
_PATIENT = Timeouts(first_byte=1e6, idle=1e6, total=1e6)


class ClosedBooks(MemoryBooks):
    """Books that admit, and are away when it comes to settling."""

    def __init__(self, books: MemoryBooks) -> None:
        super().__init__(books.clock)
        self.tally, self.entries = books.tally, books.entries
        self.closed, self.admits = True, True

    def over(self, books: MemoryBooks) -> "ClosedBooks":
        """These, keeping what the others keep."""
        self.tally, self.entries = books.tally, books.entries
        return self

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        if self.closed and (not self.admits or any(isinstance(order, Settlement) for order in orders)):
            raise BooksAway
        return await super().post(orders)


class Outage:
    """Books that are away, and a tenant whose calls are made all the same."""

    def __init__(self, *acts: Act, clock: FakeClock, **principal: Any) -> None:
        self.books = ClosedBooks(MemoryBooks(clock))  # type: ignore[arg-type]
        self.books.admits = False
        allows: dict[str, Any] = {"accounts": BOUNDED, "policy": Policy(books_away="allow")}
        model = make_model(make_deployment(provider=make_provider(timeouts=_PATIENT)))
        self.rig = Rig(*acts, clock=clock, models=[model], books=self.books.over, **allows | principal)
        self.clock = clock

    async def call(self) -> asyncio.Task[Outcome]:
        """A call, as soon as it is made without the books."""
        running = asyncio.create_task(self.rig.run())
        await self.clock.turn(HOLD_SECONDS + 1)
        return running

    async def end(self, tending: Tending, seconds: float) -> None:
        """The books are back, and somebody tends them for so long."""
        self.books.closed = False
        task = asyncio.create_task(tending.run())
        await self.clock.turn(seconds)
        task.cancel()
        await asyncio.wait([task])

    def next_process(self) -> Tending:
        """One that finds what another has left on disk."""
        spill = self.rig.spill
        teller = Teller(self.books, spill, self.clock)
        return Tending(
            teller=teller, spill=spill, clock=self.clock, open_calls=(), lease_seconds=LEASE_SECONDS
        )
