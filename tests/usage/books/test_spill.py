"""What the books could not take waits on disk, and outlives its process."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.accounts import Order, Settlement, Verdict
from gateway.batching import Teller
from gateway.errors import BooksAway
from gateway.memory import MemoryBooks
from gateway.ports import Books
from gateway.tending import SWEEP_EVERY, Tending
from tests.support.clock import FakeClock, RestingClock
from tests.support.engine import make_account, make_entry, make_hold
from tests.usage.books.shops import Ledger, Shop, counted
from usage.books import spill as spill_module
from usage.books.spill import FileSpill

ACCOUNTS = (make_account("nano", 1_000), make_account("requests", 60, "minute"))


@pytest.fixture
def spill(tmp_path: Path, ledger: Ledger) -> FileSpill:
    return FileSpill(tmp_path / "spill", in_ledger=ledger.holds)


def make_settlement(nano: int = 7) -> Settlement:
    hold = make_hold(*ACCOUNTS, nano=10)
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=3)


class PartlyAway(MemoryBooks):
    """Books that are away for one call, and slow if a test says so."""

    def __init__(self, stuck: Settlement, clock: FakeClock, seconds: float = 0.0) -> None:
        super().__init__(clock)  # type: ignore[arg-type]
        self.turned, self._stuck, self._seconds = clock, stuck, seconds

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        self.turned.advance(self._seconds)
        if self._stuck in orders:
            raise BooksAway
        return await super().post(orders)


@pytest.mark.parametrize(("seconds", "left"), [(0.0, 1), (2.0, 2)])
async def test_what_is_refused_keeps_nobody_waiting_nor_does_what_is_slow(
    spill: FileSpill, seconds: float, left: int
) -> None:
    settlements = sorted((make_settlement() for _ in range(3)), key=lambda one: one.entry.id)
    for settlement in settlements:
        await spill.keep(settlement)
    clock = RestingClock()
    await take_turn(spill, PartlyAway(settlements[0], clock, seconds), clock)
    assert await spill.kept() == [settlements[0], *settlements[4 - left :]]


async def test_what_is_kept_is_there_for_the_next_process(
    spill: FileSpill, tmp_path: Path, ledger: Ledger
) -> None:
    settlements = sorted((make_settlement(nano) for nano in (7, 8)), key=lambda one: one.entry.id)
    for settlement in settlements:
        await spill.keep(settlement)
        await spill.keep(settlement)
    other = FileSpill(tmp_path / "spill", in_ledger=ledger.holds)
    assert await other.kept() == settlements
    await other.forget(settlements[0])
    await other.forget(settlements[0])
    assert await spill.kept() == settlements[1:]


async def test_nothing_is_kept_at_first(spill: FileSpill) -> None:
    assert list(await spill.kept()) == []


async def take_turn(spill: FileSpill, books: Books, clock: RestingClock | None = None) -> None:
    """What a process does for the books every few seconds."""
    clock = clock or RestingClock()
    teller = Teller(books, spill, clock)
    tending = Tending(teller=teller, spill=spill, clock=clock, open_calls=(), lease_seconds=60)
    task = asyncio.create_task(tending.run())
    async with asyncio.timeout(10):
        await clock.rests.wait()
        clock.rests.clear()
        clock.advance(SWEEP_EVERY)
        await clock.rests.wait()
    task.cancel()


@pytest.mark.parametrize("is_drained", [True, False])
async def test_a_settlement_that_comes_after_its_call_was_swept_corrects_it(
    shop: Shop, spill: FileSpill, tmp_path: Path, ledger: Ledger, is_drained: bool
) -> None:
    settlement = make_settlement()
    await shop.books.post([settlement.hold])
    await spill.keep(settlement)
    shop.clock.advance(61)
    assert await shop.books.sweep() == 1
    if is_drained:
        ledger.known.add(settlement.entry.id)
    await take_turn(spill, shop.books)
    assert list((tmp_path / "spill").iterdir()) == []
    assert [counted(shop, account)[0] for account in ACCOUNTS] == [7, 1]
    assert [row[1:3] for row in await shop.rows()] == [("unsettled", 10), ("settled", -3)]


async def test_a_file_that_cannot_be_read_is_set_aside(spill: FileSpill, tmp_path: Path) -> None:
    whole, torn = make_settlement(), make_settlement()
    await spill.keep(whole)
    await spill.keep(torn)
    path = tmp_path / "spill" / f"{torn.entry.id.hex}.settlement"
    path.write_bytes(path.read_bytes()[:-9])
    assert await spill.kept() == [whole]
    assert path.with_suffix(".unreadable").exists()


async def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "spill").write_text("in the way")
    with pytest.raises(BooksAway):
        await FileSpill(tmp_path / "spill", in_ledger=ledger.holds).keep(make_settlement())


async def test_a_long_outage_is_taken_up_some_at_a_time(
    spill: FileSpill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "AT_ONCE", 2)
    settlements = [make_settlement() for _ in range(3)]
    for settlement in settlements:
        await spill.keep(settlement)
    assert len(await spill.kept()) == 2


async def test_those_that_nobody_takes_are_in_no_others_way(
    spill: FileSpill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "AT_ONCE", 2)
    settlements = sorted((make_settlement() for _ in range(5)), key=lambda one: one.entry.id)
    for settlement in settlements:
        await spill.keep(settlement)
    pages = [await spill.kept() for _ in range(3)]
    first, second, third, fourth, last = settlements
    assert pages == [[first, second], [third, fourth], [first, last]]
    await spill.forget(first)
    assert await spill.kept() == [second, third]


async def test_a_disk_that_gives_nothing_is_told(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "spill" / "in-the-way.settlement").mkdir(parents=True)
    with pytest.raises(BooksAway):
        await FileSpill(tmp_path / "spill", in_ledger=ledger.holds).kept()


async def test_only_its_owner_may_read_it(spill: FileSpill, tmp_path: Path) -> None:
    await spill.keep(make_settlement())
    assert (tmp_path / "spill").stat().st_mode & 0o077 == 0
