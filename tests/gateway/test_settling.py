"""An answer waits for books that are away, but not for long: then its entry goes to disk."""

import asyncio

import pytest

from gateway.accounts import Kept, Settlement
from gateway.batching import SETTLE_SECONDS, Teller
from gateway.memory import MemoryBooks, MemorySpill
from tests.support.clock import FakeClock
from tests.support.engine import make_entry, make_hold
from tests.support.outage import ClosedBooks


def make_teller(clock: FakeClock, spill: MemorySpill) -> Teller:
    return Teller(ClosedBooks(MemoryBooks(clock)), spill, clock)  # type: ignore[arg-type]


def make_settlement() -> Settlement:
    hold = make_hold()
    return Settlement(hold=hold, entry=make_entry(50, hold.id), tokens=0)


@pytest.mark.parametrize(
    ("within", "waited"), [(600.0, SETTLE_SECONDS), (1.0, 1.0)], ids=["long call", "short call"]
)
async def test_an_answer_is_held_back_for_some_seconds_at_most(
    within: float, waited: float, clock: FakeClock
) -> None:
    spill = MemorySpill()
    settling = asyncio.ensure_future(make_teller(clock, spill).settle(make_settlement(), within=within))
    await clock.turn(waited - 0.01)
    assert not spill.settlements
    await clock.turn(0.5)
    assert settling.done()
    assert spill.settlements


async def test_many_entries_go_to_disk_together(clock: FakeClock) -> None:
    class SlowSpill(MemorySpill):
        async def keep(self, order: Kept) -> None:
            await clock.sleep(1.0)
            await super().keep(order)

    teller = make_teller(clock, SlowSpill())
    settling = [asyncio.ensure_future(teller.settle(make_settlement(), within=0.0)) for _ in range(5)]
    await clock.turn(1.0)
    assert all(one.done() for one in settling)
