"""Holds of calls that were made without the books: on disk at first, then in the books past every limit."""

from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from gateway.accounts import Settlement, past_limits
from tests.support.engine import make_account, make_entry, make_hold
from tests.usage.books.shops import Shop, counted
from usage.books.spill import FileSpill

BUDGET = make_account("nano", limit=1_000)
PLACES = make_account("concurrency", limit=1, window="none")


@pytest.fixture
def booked() -> set[UUID]:
    """What is in the ledger."""
    return set()


@pytest.fixture
def make_spill(tmp_path: Path, booked: set[UUID]) -> Callable[[], FileSpill]:
    """The spill of another process on the same disk."""

    async def in_ledger(identifiers: Sequence[UUID]) -> set[UUID]:
        return booked & set(identifiers)

    return lambda: FileSpill(tmp_path / "spill", in_ledger=in_ledger)


@pytest.fixture
def spill(make_spill: Callable[[], FileSpill]) -> FileSpill:
    return make_spill()


async def test_a_hold_is_there_for_the_next_process(
    spill: FileSpill, make_spill: Callable[[], FileSpill], tmp_path: Path
) -> None:
    hold = make_hold(BUDGET, PLACES, nano=10)
    await spill.keep(hold)
    other = make_spill()
    assert await other.kept() == [hold]
    await other.forget(hold)
    await spill.forget(hold)
    assert list(await spill.kept()) == []
    assert list((tmp_path / "spill").iterdir()) == []


async def test_a_settlement_comes_after_the_hold_of_its_call_and_does_not_go_with_it(
    spill: FileSpill,
) -> None:
    hold = make_hold(BUDGET, nano=10)
    settlement = Settlement(hold=hold, entry=make_entry(7, hold.id), tokens=3)
    await spill.keep(settlement)
    await spill.keep(hold)
    assert await spill.kept() == [hold, settlement]
    await spill.forget(hold)
    assert await spill.kept() == [settlement]


async def test_holds_of_calls_under_way_stay_where_they_are(spill: FileSpill) -> None:
    mine, left = make_hold(BUDGET), make_hold(BUDGET)
    settlement = Settlement(hold=mine, entry=make_entry(7, mine.id), tokens=3)
    for order in (mine, left, settlement):
        await spill.keep(order)
    kept = await spill.kept({mine.id})
    assert {type(order) for order in kept} == {type(left), Settlement}
    assert left in kept
    assert mine not in kept


async def test_a_call_that_ends_while_it_is_read_is_no_dead_one(spill: FileSpill, tmp_path: Path) -> None:
    """Its file goes first, then its id: at no moment does it look like one that nobody has."""
    hold = make_hold(BUDGET)
    await spill.keep(hold)

    class Ending:
        """The calls under way, one of which ends the moment somebody asks for it."""

        def __contains__(self, identifier: object) -> bool:
            for path in (tmp_path / "spill").iterdir():
                path.unlink()
            return False

    assert list(await spill.kept(Ending())) == []


async def test_a_hold_whose_call_is_in_the_ledger_is_forgotten(
    spill: FileSpill, tmp_path: Path, booked: set[UUID]
) -> None:
    hold = make_hold(BUDGET)
    await spill.keep(hold)
    booked.add(hold.id)
    assert list(await spill.kept()) == []
    assert list((tmp_path / "spill").iterdir()) == []


async def test_a_disk_that_gives_nothing_back_is_no_failure(spill: FileSpill, tmp_path: Path) -> None:
    """What cannot be removed is looked up in the ledger, later."""
    (tmp_path / "spill").write_text("in the way")
    await spill.forget(make_hold(BUDGET))


async def test_a_hold_past_its_limits_is_refused_by_nobody(shop: Shop) -> None:
    newest = replace(make_hold(BUDGET, PLACES, nano=600), revision=7)
    late = replace(make_hold(BUDGET, PLACES, nano=600), revision=6)
    await shop.books.post([newest])
    (verdict,) = await shop.books.post([past_limits(late)])
    assert verdict.refusal is None
    assert not verdict.revision
    assert [counted(shop, account) for account in (BUDGET, PLACES)] == [(0, 1_200), (0, 2)]
    await shop.books.post([Settlement(hold=late, entry=make_entry(50, late.id), tokens=0)])
    assert [counted(shop, account) for account in (BUDGET, PLACES)] == [(50, 600), (0, 1)]
