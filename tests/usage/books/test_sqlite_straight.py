"""Many calls that were never held go to the ledger in the post that admits them."""

import pytest

from gateway.accounts import Settlement
from gateway.errors import BooksAway
from tests.support.clock import FakeClock
from tests.support.engine import make_account, make_hold
from tests.usage.books.settled_at_once import cached
from tests.usage.books.shops import read_rows
from tests.usage.books.sqlite_files import rename, reopened, spent
from usage.books.changes import STRAIGHT_AT
from usage.books.sqlite import SqliteBooks

CALLS = make_account("requests", limit=2 * STRAIGHT_AT + 4, window="day")


def many(count: int) -> list[Settlement]:
    return [cached(make_hold(CALLS, concurrency=0)) for _ in range(count)]


@pytest.mark.parametrize("count", [STRAIGHT_AT - 1, STRAIGHT_AT, 2 * STRAIGHT_AT])
async def test_all_are_there_once_whenever_the_process_dies(
    count: int, sqlite_books: SqliteBooks, clock: FakeClock
) -> None:
    await sqlite_books.post(many(3))
    posted = many(count)
    assert all([verdict.refusal is None for verdict in await sqlite_books.post(posted)])
    books = sqlite_books
    for _ in range(2):
        books = await reopened(books, clock)
        assert spent(books) == {CALLS.id: (count + 3, 0)}
    rows = read_rows(books.path)
    assert len(rows) == count + 3
    assert {order.entry.id for order in posted} <= {row[0] for row in rows}
    await books.close()


async def test_nobody_waits_for_them_to_reach_the_ledger(sqlite_books: SqliteBooks) -> None:
    await sqlite_books.post(many(STRAIGHT_AT - 1))
    assert read_rows(sqlite_books.path) == []
    await sqlite_books.post(many(STRAIGHT_AT))
    assert len(read_rows(sqlite_books.path)) == 2 * STRAIGHT_AT - 1


async def test_the_limit_counts_among_them_too(sqlite_books: SqliteBooks) -> None:
    verdicts = await sqlite_books.post(many(CALLS.limit + 3))
    assert [verdict.refusal is None for verdict in verdicts] == [True] * CALLS.limit + [False] * 3
    assert len(read_rows(sqlite_books.path)) == CALLS.limit


async def test_what_could_not_be_written_was_not_spent(sqlite_books: SqliteBooks, clock: FakeClock) -> None:
    posted = many(STRAIGHT_AT)
    rename(sqlite_books.path, "usage_ledgerentry", "gone")
    with pytest.raises(BooksAway):
        await sqlite_books.post(posted)
    rename(sqlite_books.path, "gone", "usage_ledgerentry")
    await sqlite_books.post(posted)
    fresh = await reopened(sqlite_books, clock)
    assert spent(fresh) == {CALLS.id: (STRAIGHT_AT, 0)}
    assert len(read_rows(fresh.path)) == STRAIGHT_AT
    await fresh.close()
