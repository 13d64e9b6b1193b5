"""The embedded books outlive their process, and a file that cannot be written for a while."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.accounts import Claim, Claimed, Hold, Order, Settlement
from gateway.errors import BooksAway
from tests.support.clock import FakeClock
from tests.support.engine import (
    make_account,
    make_entry,
    make_hold,
)
from tests.support.waiting import eventually
from tests.usage.books.shops import read_rows
from tests.usage.books.sqlite_files import rename, reopened, spent
from usage.books.sqlite import BooksTaken, SqliteBooks

BUDGET = make_account("nano", limit=1_000)
CALLS = make_account("requests", limit=100, window="day")


def _settlement(hold: Hold, nano: int, **fields: Any) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id, **fields), tokens=0)


async def test_what_was_posted_is_there_after_the_process_died(
    sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    settled, open_ = make_hold(BUDGET, CALLS, nano=300), make_hold(BUDGET, CALLS, nano=200)
    await sqlite_books.post([settled, open_])
    await sqlite_books.post([_settlement(settled, 100)])
    fresh = await reopened(sqlite_books, clock)
    assert {row[:3] for row in read_rows(fresh.path)} == {
        (settled.id, "settled", 100),
        (open_.id, "unsettled", 200),
    }
    assert spent(fresh) == {BUDGET.id: (300, 0), CALLS.id: (2, 0)}
    await fresh.close()


@pytest.mark.parametrize("drained", [True, False], ids=["drained", "waiting"])
async def test_dying_twice_books_nothing_twice(
    drained: bool, sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    holds = [make_hold(BUDGET, CALLS, nano=100) for _ in range(3)]
    await sqlite_books.post(holds)
    await sqlite_books.post([_settlement(hold, 10) for hold in holds[:2]])
    if drained:
        await sqlite_books.drain()
    books = sqlite_books
    for _ in range(3):
        books = await reopened(books, clock)
        assert spent(books) == {BUDGET.id: (120, 0), CALLS.id: (3, 0)}
    assert len(read_rows(books.path)) == 3
    await books.close()


async def test_a_place_that_was_used_before_is_the_new_holds_alone(
    sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    for _ in range(5):
        holds = [make_hold(CALLS, nano=0) for _ in range(4)]
        await sqlite_books.post(holds)
        await sqlite_books.post([_settlement(hold, 0) for hold in holds[1:]])
        await sqlite_books.drain()
        await sqlite_books.post([_settlement(holds[0], 0)])
    last = make_hold(CALLS, nano=0)
    await sqlite_books.post([last])
    fresh = await reopened(sqlite_books, clock)
    rows = read_rows(fresh.path)
    assert len(rows) == 21
    assert [row[0] for row in rows if row[1] == "unsettled"] == [last.id]
    assert spent(fresh) == {CALLS.id: (21, 0)}
    await fresh.close()


async def test_a_swept_call_is_corrected_by_the_next_process_too(
    sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    hold = make_hold(BUDGET, nano=400)
    await sqlite_books.post([hold])
    clock.advance(61)
    await sqlite_books.sweep()
    fresh = await reopened(sqlite_books, clock)
    for _ in range(2):
        await fresh.post([_settlement(hold, 100)])
    fresh = await reopened(fresh, clock)
    assert [row[2:4] for row in read_rows(fresh.path)] == [(400, None), (-300, hold.id)]
    assert spent(fresh) == {BUDGET.id: (100, 0)}
    await fresh.close()


async def test_a_claim_outlives_its_process(sqlite_books: SqliteBooks, clock: FakeClock) -> None:
    claim = Claim(key="k" * 64, body="b" * 64)
    answered, lost = (replace(make_hold(BUDGET), claim=replace(claim, key=name * 64)) for name in "kl")
    await sqlite_books.post([answered, lost])
    await sqlite_books.post([replace(_settlement(answered, 100), answer=b"sealed")])
    fresh = await reopened(sqlite_books, clock)
    again = [replace(make_hold(BUDGET), claim=hold.claim) for hold in (answered, lost)]
    verdicts = await fresh.post(again)
    assert [verdict.claimed for verdict in verdicts] == [
        Claimed(state="answered", answer=b"sealed"),
        Claimed(state="unknown"),
    ]
    await fresh.close()


async def test_a_second_process_is_refused(sqlite_books: SqliteBooks) -> None:
    program = """
        import asyncio, sys
        from pathlib import Path
        from gateway.memory import SystemClock
        from usage.books.sqlite import BooksTaken, SqliteBooks
        try:
            asyncio.run(SqliteBooks(Path(sys.argv[1]), clock=SystemClock()).open())
        except BooksTaken as error:
            sys.exit(str(error))
    """
    run = asyncio.create_subprocess_exec(
        sys.executable, "-c", dedent(program), str(sqlite_books.path), stderr=subprocess.PIPE
    )
    process = await run
    _, told = await process.communicate()
    assert process.returncode == 1
    assert b"belong to one" in told


async def test_a_second_opening_in_this_process_is_refused(
    sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    with pytest.raises(BooksTaken):
        await SqliteBooks(sqlite_books.path, clock=clock).open()


async def test_closed_books_take_no_orders(books_path: Path, clock: FakeClock) -> None:
    books = SqliteBooks(books_path, clock=clock)
    with pytest.raises(BooksAway):
        await books.post([make_hold()])
    await books.open()
    await books.close()
    with pytest.raises(BooksAway):
        await books.sweep()


@pytest.mark.parametrize("table", ["usage_hold", "usage_counter", "usage_ledgerentry"])
async def test_books_that_cannot_be_written_are_away_and_come_back(
    table: str, sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    early = make_hold(BUDGET, CALLS, nano=100)
    await sqlite_books.post([early])
    rename(sqlite_books.path, table, f"{table}_gone")
    late = make_hold(BUDGET, CALLS, nano=100)
    with pytest.raises(BooksAway):
        await _work(sqlite_books, late, _settlement(early, 50))
    rename(sqlite_books.path, f"{table}_gone", table)
    await sqlite_books.post([late, _settlement(early, 50)])
    assert spent(sqlite_books)[BUDGET.id] == (50, 100)
    fresh = await reopened(sqlite_books, clock)
    assert [(row[1], row[2]) for row in read_rows(fresh.path)] == [("settled", 50), ("unsettled", 100)]
    assert spent(fresh) == {BUDGET.id: (150, 0), CALLS.id: (2, 0)}
    await fresh.close()


async def test_an_order_that_failed_was_never_posted(sqlite_books: SqliteBooks) -> None:
    rename(sqlite_books.path, "usage_hold", "usage_hold_gone")
    with pytest.raises(BooksAway):
        await sqlite_books.post([make_hold(BUDGET, CALLS, nano=900)])
    rename(sqlite_books.path, "usage_hold_gone", "usage_hold")
    (verdict,) = await sqlite_books.post([make_hold(BUDGET, CALLS, nano=1_000)])
    assert verdict.refusal is None
    assert spent(sqlite_books) == {BUDGET.id: (0, 1_000), CALLS.id: (0, 1)}


async def test_what_no_hold_covered_is_counted_by_the_next_process_too(
    sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    await sqlite_books.post([_settlement(make_hold(BUDGET, CALLS), 70)])
    fresh = await reopened(sqlite_books, clock)
    assert spent(fresh) == {BUDGET.id: (70, 0), CALLS.id: (1, 0)}
    await fresh.close()


async def test_another_writer_is_waited_for(sqlite_books: SqliteBooks) -> None:
    hold = make_hold(BUDGET, nano=100)
    with closing(sqlite3.connect(sqlite_books.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        posting = asyncio.create_task(sqlite_books.post([hold]))
        await asyncio.wait([posting], timeout=0.05)
        assert not posting.done()
        other.execute("ROLLBACK")
    (verdict,) = await posting
    assert verdict.refusal is None
    assert spent(sqlite_books) == {BUDGET.id: (0, 100)}


async def test_an_entry_that_no_row_can_hold_does_not_hurt_the_others(
    sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    absurd, sound = make_hold(CALLS, nano=0), make_hold(CALLS, nano=0)
    await sqlite_books.post([absurd, sound])
    await sqlite_books.post([_settlement(absurd, 1 << 70)])
    await sqlite_books.post([_settlement(sound, 5)])
    fresh = await reopened(sqlite_books, clock)
    assert {row[:3] for row in read_rows(fresh.path)} == {
        (sound.id, "settled", 5),
        (absurd.id, "unsettled", 0),
    }
    await fresh.close()


async def test_an_entry_beyond_sqlites_integers_does_not_block_the_ledger(
    sqlite_books: SqliteBooks,
) -> None:
    absurd, sound = make_hold(CALLS, nano=0), make_hold(CALLS, nano=0)
    await sqlite_books.post([absurd, sound])
    await _work(sqlite_books, _settlement(absurd, 1 << 63))
    await sqlite_books.post([_settlement(sound, 5)])
    await sqlite_books.drain()
    assert sound.id in {row[0] for row in read_rows(sqlite_books.path)}


async def test_a_commit_reaches_the_disk_where_that_is_asked(books_path: Path, clock: FakeClock) -> None:
    books = SqliteBooks(books_path, clock=clock, synchronous="FULL")
    await books.open()
    hold = make_hold(BUDGET, nano=100)
    await books.post([hold])
    await books.post([_settlement(hold, 40)])
    assert spent(books) == {BUDGET.id: (40, 0)}
    await books.close()
    assert [row[2] for row in read_rows(books_path)] == [40]


async def test_entries_reach_the_ledger_without_being_asked_for(sqlite_books: SqliteBooks) -> None:
    hold = make_hold(BUDGET, nano=100)
    await sqlite_books.post([hold])
    await sqlite_books.post([_settlement(hold, 40)])
    assert await asyncio.to_thread(eventually, lambda: read_rows(sqlite_books.path))


async def _work(books: SqliteBooks, *orders: Order) -> None:
    """Post orders one by one, and let everything that waits reach the ledger."""
    for order in orders:
        await books.post([order])
    await books.drain()
    await books.sweep()
