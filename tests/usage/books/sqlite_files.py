"""The file of the embedded books, handled from outside."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.clock import FakeClock
from usage.books.sqlite import SqliteBooks


def abandon(books: SqliteBooks) -> None:
    """Leave the books as a process does that is killed: nothing is drained, the lock goes with it."""
    assert books._lock_file is not None
    books._lock_file.close()
    if books._timer is not None:
        books._timer.cancel()


async def reopened(books: SqliteBooks, clock: FakeClock) -> SqliteBooks:
    """The books as the next process finds them."""
    abandon(books)
    fresh = SqliteBooks(books.path, clock=clock)
    await fresh.open()
    return fresh


def spent(books: SqliteBooks) -> dict[str, tuple[int, int]]:
    """What each account has spent and holds."""
    return {account: (one.spent, one.held) for (account, _), one in books.tally.counters.items()}


def rename(path: Path, old: str, new: str) -> None:
    """Call a table by another name, so that it is not found."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA legacy_alter_table=ON")
        other.execute(f"ALTER TABLE {old} RENAME TO {new}")
