"""Orders travel together, and nobody's leaving hurts the others."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.accounts import Hold, Kept, Order, Renewal, Settlement, Verdict
from gateway.batching import HOLD_SECONDS, Teller
from gateway.errors import BooksAway
from gateway.memory import MemoryBooks, MemorySpill
from tests.support.clock import FakeClock, idle
from tests.support.engine import (
    TENANT,
    make_account,
    make_entry,
    make_hold,
)

BUDGET = make_account("nano", limit=1_000)


class SlowBooks(MemoryBooks):
    """Books whose every post waits to be let."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)  # type: ignore[arg-type]
        self.posts: list[Sequence[Order]] = []
        self.gates: list[asyncio.Future[None]] = []

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        self.posts.append(list(orders))
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate
        return await super().post(orders)

    async def let(self, error: Exception | None = None) -> None:
        """Let the post that is under way through."""
        await idle()
        gate = self.gates.pop(0)
        if error is None:
            gate.set_result(None)
        else:
            gate.set_exception(error)
        await idle()


@pytest.fixture
def books(clock: FakeClock) -> SlowBooks:
    """Books with a gate."""
    return SlowBooks(clock)


async def _decided(books: SlowBooks) -> None:
    """Go on to the very turn of the loop in which the verdict is there, and nobody has heard it."""
    for _ in range(10):
        if books.tally.holds:
            return
        await asyncio.sleep(0)


def make_teller(books: SlowBooks, spill: MemorySpill | None = None) -> Teller:
    return Teller(books, spill or MemorySpill(), books.clock)


def _settlement(hold: Hold, nano: int = 0) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=0)


async def test_what_is_asked_while_a_post_is_under_way_travels_in_the_next(books: SlowBooks) -> None:
    teller = make_teller(books)
    first = asyncio.create_task(teller.admit(make_hold(BUDGET)))
    await idle()
    others = [asyncio.create_task(teller.admit(make_hold(BUDGET))) for _ in range(5)]
    await books.let()
    assert first.done()
    assert not any(other.done() for other in others)
    await books.let()
    assert [len(post) for post in books.posts] == [1, 5]
    assert all(other.result().refusal is None for other in others)


async def test_everyone_has_their_own_verdict(books: SlowBooks) -> None:
    teller = make_teller(books)
    sizes = (600, 600, 300)
    asking = [asyncio.create_task(teller.admit(make_hold(BUDGET, nano=size))) for size in sizes]
    await books.let()
    assert [(await one).refusal is None for one in asking] == [True, False, True]


@pytest.mark.parametrize("waiting", [True, False], ids=["under way", "decided"])
async def test_who_leaves_while_being_admitted_has_the_hold_given_back(
    waiting: bool, books: SlowBooks
) -> None:
    teller = make_teller(books)
    leaver = asyncio.create_task(teller.admit(make_hold(BUDGET, nano=800)))
    stayer = asyncio.create_task(teller.admit(make_hold(BUDGET, nano=100)))
    await idle()
    if waiting:
        leaver.cancel()
        await books.let()
    else:
        books.gates.pop(0).set_result(None)
        await _decided(books)
        leaver.cancel()
        await idle()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert (await stayer).refusal is None
    if books.gates:
        await books.let()
    assert [held.amounts.nano for held in books.tally.holds.values()] == [100]
    assert [(entry.status, entry.charge_nano) for entry in books.entries.values()] in (
        [("failed", 0)],
        [],
    )


async def test_who_leaves_a_refusal_gives_nothing_back(books: SlowBooks) -> None:
    teller = make_teller(books)
    leaver = asyncio.create_task(teller.admit(make_hold(BUDGET, nano=2_000)))
    await idle()
    leaver.cancel()
    await books.let()
    await teller.drain()
    assert len(books.posts) == 1


async def test_who_leaves_a_raise_keeps_the_call_open(books: SlowBooks) -> None:
    teller = make_teller(books)
    hold = make_hold(BUDGET, nano=100)
    admitting = asyncio.create_task(teller.admit(hold))
    await books.let()
    await admitting

    async def top_up() -> Verdict:
        return await teller.top_up(make_hold(BUDGET, identifier=hold.id, nano=200))

    leaver = asyncio.create_task(top_up())
    await idle()
    leaver.cancel()
    await books.let()
    await teller.drain()
    assert books.entries == {}
    assert [held.amounts.nano for held in books.tally.holds.values()] == [200]


async def test_a_settlement_goes_through_though_nobody_waits(books: SlowBooks) -> None:
    teller = make_teller(books)
    hold = make_hold(BUDGET, nano=100)
    admitting = asyncio.create_task(teller.admit(hold))
    await books.let()
    await admitting

    async def settle() -> None:
        await teller.settle(_settlement(hold, 50), within=5.0)

    leaver = asyncio.create_task(settle())
    await idle()
    leaver.cancel()
    await books.let()
    assert [entry.charge_nano for entry in books.entries.values()] == [50]


async def test_books_that_are_away_for_long_fail_all_who_wait_and_work_again(
    books: SlowBooks, clock: FakeClock
) -> None:
    teller = make_teller(books)
    away = BooksAway()
    away.__cause__ = OSError("disk full")
    waiting = [asyncio.create_task(teller.admit(make_hold(BUDGET))) for _ in range(3)]
    await idle()
    clock.advance(HOLD_SECONDS)
    await books.let(away)
    for one in waiting:
        with pytest.raises(BooksAway) as failed:
            await one
        assert isinstance(failed.value.__cause__, OSError)
    again = asyncio.create_task(teller.admit(make_hold(BUDGET)))
    await books.let()
    assert (await again).refusal is None


async def test_what_nobody_foresaw_fails_at_once(books: SlowBooks) -> None:
    teller = make_teller(books)
    waiting = asyncio.create_task(teller.admit(make_hold(BUDGET)))
    await books.let(KeyError("unforeseen"))
    with pytest.raises(BooksAway):
        await waiting


async def test_books_that_are_away_for_a_moment_are_asked_again_with_the_same_ids(
    books: SlowBooks, clock: FakeClock
) -> None:
    teller = make_teller(books)
    hold = make_hold(BUDGET, nano=100)
    first = asyncio.create_task(teller.admit(hold))
    await books.let(BooksAway())
    second = asyncio.create_task(teller.admit(make_hold(BUDGET)))
    await clock.turn(0.1)
    await books.let()
    assert [(await one).refusal for one in (first, second)] == [None, None]
    assert books.posts[1][0] is hold
    assert len(books.posts[1]) == 2


async def test_pauses_grow_while_the_books_are_away(books: SlowBooks, clock: FakeClock) -> None:
    teller = make_teller(books)
    hold = make_hold(BUDGET, nano=100)
    settling = teller.settle(_settlement(hold, 50), within=3.0)
    for _ in range(6):
        await books.let(BooksAway())
        clock.advance(clock.slept[-1])
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    await books.let()
    assert (await settling).refusal is None


async def test_a_settlement_that_finds_no_books_is_spilled(books: SlowBooks, clock: FakeClock) -> None:
    spill = MemorySpill()
    teller = make_teller(books, spill)
    settlement = _settlement(make_hold(BUDGET, nano=100), 50)
    settling = teller.settle(settlement, within=3.0)
    await idle()
    clock.advance(3.0)
    await books.let(BooksAway())
    assert (await settling).refusal is None
    assert await spill.kept() == [settlement]


async def test_a_settlement_that_cannot_be_spilled_fails(books: SlowBooks, clock: FakeClock) -> None:
    class FullSpill(MemorySpill):
        async def keep(self, order: Kept) -> None:
            raise BooksAway

    teller = make_teller(books, FullSpill())
    settling = teller.settle(_settlement(make_hold(BUDGET), 50), within=0.0)
    await books.let(BooksAway())
    with pytest.raises(BooksAway):
        await settling


@pytest.mark.parametrize("hopeless", [False, True], ids=["for now", "for good"])
async def test_an_order_that_fails_alone_hurts_no_other(
    hopeless: bool, books: SlowBooks, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, other = make_hold(BUDGET, nano=100), make_hold(BUDGET, nano=100)
    carry_out = MemoryBooks._carry_out

    def fail_one(self: MemoryBooks, order: Order, now_ms: int) -> Verdict:
        return Verdict(failed=True, hopeless=hopeless) if order is failing else carry_out(self, order, now_ms)

    monkeypatch.setattr(MemoryBooks, "_carry_out", fail_one)
    teller = make_teller(books)
    waiting = [asyncio.create_task(teller.admit(hold)) for hold in (failing, other)]
    await books.let()
    assert (await waiting[1]).refusal is None
    assert waiting[0].done() is hopeless
    monkeypatch.undo()
    if not hopeless:
        await clock.turn(0.1)
        await books.let()
        assert (await waiting[0]).refusal is None
    else:
        with pytest.raises(BooksAway):
            await waiting[0]


async def test_who_leaves_while_the_books_are_away_has_their_hold_closed_wherever_it_is(
    books: SlowBooks, clock: FakeClock
) -> None:
    """The order may have reached the books, and only the answer not have come back."""
    teller = make_teller(books)
    reached, lost = make_hold(BUDGET, nano=100), make_hold(BUDGET, nano=200)
    leavers = [asyncio.create_task(teller.admit(hold)) for hold in (reached, lost)]
    await idle()
    await MemoryBooks.post(books, [reached])
    for leaver in leavers:
        leaver.cancel()
    await books.let(BooksAway())
    await clock.turn(0.1)
    await books.let()
    await teller.drain()
    assert not books.tally.holds
    assert [(entry.id, entry.status) for entry in books.entries.values()] == [(reached.id, "failed")]


async def test_renewals_and_draining(books: SlowBooks) -> None:
    teller = make_teller(books)
    await teller.drain()
    renewals = teller.renew([Renewal(id=make_hold().id, tenant_id=TENANT) for _ in range(3)])
    draining = asyncio.create_task(teller.drain())
    await books.let()
    await draining
    assert [one.done() for one in renewals] == [True] * 3
    assert len(books.posts) == 1
