"""What the books could not take waits on disk, and outlives its process."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest

from gateway.accounts import Settlement
from gateway.errors import BooksAway
from tests.support.engine import make_account, make_entry, make_hold
from usage.books import spill as spill_module
from usage.books.spill import FileSpill

ACCOUNTS = (make_account("nano", 1_000), make_account("requests", 60, "minute"))


class Ledger:
    """Knows the entries it was told."""

    def __init__(self) -> None:
        self.known: set[UUID] = set()

    async def __call__(self, identifiers: Sequence[UUID]) -> set[UUID]:
        return self.known & set(identifiers)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def spill(tmp_path: Path, ledger: Ledger) -> FileSpill:
    return FileSpill(tmp_path / "spill", in_ledger=ledger)


def make_settlement(nano: int = 7) -> Settlement:
    hold = make_hold(*ACCOUNTS, nano=10)
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=3)


async def test_what_is_kept_is_there_for_the_next_process(
    spill: FileSpill, tmp_path: Path, ledger: Ledger
) -> None:
    settlements = sorted((make_settlement(nano) for nano in (7, 8)), key=lambda one: one.entry.id)
    for settlement in settlements:
        await spill.keep(settlement)
        await spill.keep(settlement)
    other = FileSpill(tmp_path / "spill", in_ledger=ledger)
    assert await other.kept() == settlements
    await other.forget(settlements[0])
    await other.forget(settlements[0])
    assert await spill.kept() == settlements[1:]


async def test_nothing_is_kept_at_first(spill: FileSpill) -> None:
    assert list(await spill.kept()) == []


async def test_what_the_ledger_has_is_forgotten(spill: FileSpill, tmp_path: Path, ledger: Ledger) -> None:
    settlement = make_settlement()
    await spill.keep(settlement)
    ledger.known.add(settlement.entry.id)
    assert list(await spill.kept()) == []
    assert list((tmp_path / "spill").iterdir()) == []


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
        await FileSpill(tmp_path / "spill", in_ledger=ledger).keep(make_settlement())


async def test_a_long_outage_is_taken_up_some_at_a_time(
    spill: FileSpill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "AT_ONCE", 2)
    for _ in range(3):
        await spill.keep(make_settlement())
    assert len(await spill.kept()) == 2


async def test_only_its_owner_may_read_it(spill: FileSpill, tmp_path: Path) -> None:
    await spill.keep(make_settlement())
    assert (tmp_path / "spill").stat().st_mode & 0o077 == 0
