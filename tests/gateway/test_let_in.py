"""Calls that are made without the books: their hold is on disk, and whoever comes later books them once."""

import asyncio
from contextlib import suppress

import pytest

from gateway.accounts import Hold, Kept, Settlement
from gateway.batching import HOLD_SECONDS, SETTLE_SECONDS
from gateway.errors import BooksAway
from gateway.exchange import Request
from gateway.memory import MemorySpill
from gateway.ports import Answer
from gateway.tending import SWEEP_EVERY
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, make_account, make_entry, make_hold
from tests.support.outage import LEASE_SECONDS, Outage
from tests.support.script import completes, hangs, waits

COST_NANO = 10 * 1_000 + 5 * 2_000


async def test_a_call_without_books_is_on_disk_before_its_provider_hears_of_it(clock: FakeClock) -> None:
    kept: list[Hold] = []

    async def look(request: Request) -> Answer:
        kept.extend(outage.rig.spill.holds.values())
        return await completes()(request)

    outage = Outage(look, clock=clock)
    running = await outage.call()
    await clock.turn(SETTLE_SECONDS + 1)
    assert running.done()
    assert [hold.skeleton.status for hold in kept] == ["unsettled"]
    assert not outage.rig.spill.holds
    assert [one.hold.id for one in outage.rig.spill.settlements.values()] == [kept[0].id]


@pytest.mark.parametrize("limit", [1, 10**9], ids=["used up", "not used up"])
async def test_a_call_whose_process_dies_without_books_is_booked_at_its_bound(
    limit: int, clock: FakeClock
) -> None:
    """Once, and whatever its limits say by then: it was made."""
    outage = Outage(hangs(), clock=clock, accounts=(make_account("nano", limit), *BOUNDED[1:]))
    running = await outage.call()
    rig = outage.rig
    for _ in range(2):
        await outage.end(outage.next_process(), 2 * LEASE_SECONDS)
        assert rig.entry.status == "unsettled"
        assert rig.entry.charge_nano == rig.spent("nano") > COST_NANO
        assert rig.spent("requests") == 1
        assert not outage.books.tally.holds
        assert not rig.spill.holds
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_settlement_on_disk_comes_before_a_hold_on_disk(clock: FakeClock) -> None:
    """Who died between writing the one and removing the other has left both."""
    outage = Outage(clock=clock)
    hold = make_hold(*BOUNDED, nano=900)
    await outage.rig.spill.keep(hold)
    await outage.rig.spill.keep(Settlement(hold=hold, entry=make_entry(50, hold.id), tokens=0))
    await outage.end(outage.next_process(), 2 * LEASE_SECONDS)
    assert (outage.rig.entry.status, outage.rig.entry.charge_nano) == ("settled", 50)
    assert not outage.rig.spill.holds
    assert not outage.rig.spill.settlements
    outage.rig.assert_balanced()


async def test_a_call_under_way_is_not_taken_for_a_dead_one(clock: FakeClock) -> None:
    done = asyncio.Event()
    outage = Outage(waits(done, completes()), clock=clock)
    running = await outage.call()
    await outage.end(outage.rig.gateway.tending(), 2 * LEASE_SECONDS)
    assert outage.rig.spill.holds
    assert not outage.books.tally.holds
    done.set()
    await idle()
    assert (await running).charge_nano == COST_NANO
    await outage.end(outage.rig.gateway.tending(), 2 * LEASE_SECONDS)
    assert (outage.rig.entry.status, outage.rig.entry.charge_nano) == ("settled", COST_NANO)
    assert not outage.rig.spill.holds
    outage.rig.assert_balanced()


async def test_a_replay_that_began_before_a_call_ended_does_not_open_it_again(clock: FakeClock) -> None:
    """It has what it read in its hands while the call is made, answered and booked."""
    done = asyncio.Event()
    outage = Outage(waits(done, completes()), clock=clock)
    running = await outage.call()
    read = await outage.rig.spill.kept(outage.rig.gateway.teller.let_in_calls)
    outage.books.closed = False
    done.set()
    await running
    await outage.books.post(read)
    assert not outage.books.tally.holds
    outage.rig.assert_balanced()


async def test_who_leaves_while_the_hold_goes_to_disk_leaves_nothing_there(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(order: Kept) -> None:
        await clock.sleep(5.0)
        await MemorySpill.keep(outage.rig.spill, order)

    outage = Outage(completes(), clock=clock)
    monkeypatch.setattr(outage.rig.spill, "keep", keep)
    running = await outage.call()
    running.cancel()
    await clock.turn(5.0)
    with pytest.raises(asyncio.CancelledError):
        await running
    await outage.end(outage.next_process(), 2 * LEASE_SECONDS)
    assert outage.rig.script.requests == []
    assert outage.rig.entries == []
    outage.rig.assert_balanced()


async def test_without_books_and_without_a_disk_no_call_is_made(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(order: Kept) -> None:
        raise BooksAway

    outage = Outage(completes(), clock=clock)
    monkeypatch.setattr(outage.rig.spill, "keep", full)
    running = await outage.call()
    assert running.done()
    assert isinstance(running.exception(), BooksAway)
    assert outage.rig.script.requests == []
    assert not outage.rig.gateway.teller.let_in_calls
    await outage.end(outage.rig.gateway.tending(), SWEEP_EVERY)
    assert outage.rig.entries == []


async def test_a_call_that_cannot_be_settled_anywhere_is_booked_by_the_hold_on_disk(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(order: Kept) -> None:
        if isinstance(order, Settlement):
            raise BooksAway
        await MemorySpill.keep(outage.rig.spill, order)

    outage = Outage(completes(), clock=clock)
    monkeypatch.setattr(outage.rig.spill, "keep", full)
    running = await outage.call()
    await clock.turn(SETTLE_SECONDS + 1)
    assert running.done()
    assert isinstance(running.exception(), BooksAway)
    await outage.end(outage.rig.gateway.tending(), 2 * LEASE_SECONDS)
    assert outage.rig.entry.status == "unsettled"
    assert not outage.rig.spill.holds


async def test_a_long_call_is_answered_soon_though_the_books_are_away(clock: FakeClock) -> None:
    outage = Outage(completes(), clock=clock)
    running = asyncio.create_task(outage.rig.run(timeout=600.0))
    await clock.turn(HOLD_SECONDS + SETTLE_SECONDS + 1)
    assert running.done()
    assert (await running).charge_nano == COST_NANO
