"""Books that are away, deaf or ahead of us: no answer is lost, none is given unrecorded."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from msgspec.structs import replace

from gateway.accounts import Hold, Order, Settlement, Verdict
from gateway.errors import BooksAway, ProviderCut, RevisionMoved
from gateway.memory import MemoryBooks, MemoryDirectory
from gateway.principal import Policy
from gateway.retry import Effort
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, KEY, Rig
from tests.support.outage import ClosedBooks
from tests.support.script import ROLE, Listener, completes, streams

COST_NANO = 10 * 1_000 + 5 * 2_000


async def test_an_answer_that_cannot_be_journaled_is_not_given(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(settlement: Settlement) -> None:
        raise BooksAway

    rig = Rig(completes(), clock=clock, accounts=BOUNDED, books=ClosedBooks)
    monkeypatch.setattr(rig.spill, "keep", full)
    running = asyncio.create_task(rig.run())
    await clock.turn(601)
    with pytest.raises(BooksAway):
        await running
    assert not rig.gateway.open
    assert rig.entries == []
    assert await rig.books.sweep() == 1
    assert rig.entry.status == "unsettled"
    rig.assert_balanced()


async def test_an_answer_that_is_kept_on_disk_is_given_and_journaled_later(clock: FakeClock) -> None:
    away = ClosedBooks(MemoryBooks(clock))  # type: ignore[arg-type]
    rig = Rig(completes(), clock=clock, accounts=BOUNDED, books=away.over)
    running = asyncio.create_task(rig.run(timeout=20.0))
    await clock.turn(21)
    assert (await running).charge_nano == COST_NANO
    assert rig.entries == []
    tending = asyncio.create_task(rig.gateway.tending().run())
    away.closed = False
    await clock.turn(6)
    tending.cancel()
    assert (rig.entry.status, rig.entry.charge_nano) == ("settled", COST_NANO)
    assert not rig.spill.settlements
    rig.assert_balanced()


async def test_a_failure_is_told_even_if_the_books_are_away_then(clock: FakeClock) -> None:
    rig = Rig(streams(ROLE), clock=clock, books=ClosedBooks, effort=Effort(attempts=1))
    running = asyncio.create_task(rig.stream(Listener()))
    await clock.turn(601)
    with pytest.raises(ProviderCut):
        await running


async def test_without_books_a_call_is_refused_and_its_hold_closed_wherever_it_is(clock: FakeClock) -> None:
    class DeafBooks(MemoryBooks):
        deaf = True

        async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
            verdicts = await super().post(orders)
            if self.deaf:
                raise BooksAway  # the answer is lost, not the order
            return verdicts

    deaf = DeafBooks(clock)  # type: ignore[arg-type]
    rig = Rig(clock=clock, accounts=BOUNDED, books=lambda _: deaf)
    running = asyncio.create_task(rig.run())
    await clock.turn(2)
    with pytest.raises(BooksAway):
        await running
    deaf.deaf = False
    await clock.turn(1)
    assert not deaf.tally.holds
    assert [entry.status for entry in deaf.entries.values()] == ["failed"]


async def test_without_books_a_call_goes_on_where_the_tenant_says_so(clock: FakeClock) -> None:
    away = ClosedBooks(MemoryBooks(clock))  # type: ignore[arg-type]
    away.admits = False
    policy = Policy(books_away="allow")
    rig = Rig(completes(), clock=clock, accounts=BOUNDED, books=away.over, policy=policy)
    running = asyncio.create_task(rig.run(timeout=3.0))
    await clock.turn(10)
    assert (await running).charge_nano == COST_NANO
    away.closed = False
    tending = asyncio.create_task(rig.gateway.tending().run())
    await clock.turn(6)
    tending.cancel()
    assert rig.entry.status == "settled"
    assert rig.spent("nano") == COST_NANO
    rig.assert_balanced()


async def test_without_books_nobody_can_say_whether_a_call_is_the_first(clock: FakeClock) -> None:
    away = ClosedBooks(MemoryBooks(clock))  # type: ignore[arg-type]
    away.admits = False
    rig = Rig(clock=clock, accounts=BOUNDED, books=away.over, policy=Policy(books_away="allow"))
    running = asyncio.create_task(rig.run(idempotency_key="once"))
    await clock.turn(2)
    assert isinstance(running.exception(), BooksAway)
    assert rig.script.requests == []


async def test_a_configuration_that_moved_is_looked_at_before_anything_is_held(clock: FakeClock) -> None:
    class MovedBooks(MemoryBooks):
        async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
            moved = [isinstance(order, Hold) and order.revision < 7 for order in orders]
            verdicts = await super().post(
                [order for order, old in zip(orders, moved, strict=True) if not old]
            )
            return [Verdict(revision=7)] if any(moved) else verdicts

    moved = MovedBooks(clock)  # type: ignore[arg-type]
    rig = Rig(completes(), clock=clock, accounts=BOUNDED, books=lambda _: moved)
    with pytest.raises(RevisionMoved):
        await rig.run()
    assert not moved.tally.holds
    caught: list[int] = []
    directory = cast(MemoryDirectory, rig.gateway.directory)

    async def catch_up(revision: int) -> None:
        caught.append(revision)
        directory.principals = {KEY: replace(rig.principal, revision=revision)}

    directory.catch_up = catch_up  # type: ignore[method-assign]
    await rig.run()
    assert caught == [7]
    assert [entry.status for entry in moved.entries.values()] == ["settled"]
