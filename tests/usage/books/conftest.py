"""Books to test: in memory, and on a migrated SQLite file of the test's own."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from gateway.entry import Line
from gateway.memory import MemoryBooks
from gateway.tally import Tally
from gateway_project.database import database_settings
from tests.support.clock import FakeClock
from usage.books.sqlite import SqliteBooks

Row = tuple[UUID, str, int, UUID | None, tuple[Line, ...]]

_lines = msgspec.json.Decoder(tuple[Line, ...])


class Shop:
    """Books with their ledger open to be read."""

    def __init__(self, books: MemoryBooks | SqliteBooks, clock: FakeClock) -> None:
        self.books = books
        self.clock = clock

    @property
    def tally(self) -> Tally:
        """What the books count with."""
        return self.books.tally

    async def rows(self) -> list[Row]:
        """Id, status, charge, corrected id and lines of every entry, in order."""
        if isinstance(self.books, MemoryBooks):
            found = [
                (one.id, str(one.status), one.charge_nano, one.corrects, one.lines)
                for one in self.books.entries.values()
            ]
            return sorted(found, key=_corrections_last)
        await self.books.drain()
        return read_rows(self.books.path)


def read_rows(path: Path) -> list[Row]:
    """The ledger of a file."""
    query = "SELECT id, status, charge_nano, corrects, lines FROM usage_ledgerentry"
    with closing(sqlite3.connect(path)) as connection:
        rows = [
            (UUID(one), status, charge, UUID(corrects) if corrects else None, _lines.decode(lines))
            for one, status, charge, corrects, lines in connection.execute(query)
        ]
    return sorted(rows, key=_corrections_last)


def _corrections_last(row: Row) -> tuple[bool, int]:
    return row[3] is not None, row[0].int


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """An empty database with every table and trigger."""
    path = tmp_path_factory.mktemp("books") / "migrated.sqlite3"
    config = database_settings(url=f"sqlite:///{path}", home=settings.GATEWAY_HOME, synchronous="NORMAL")
    own = connections[DEFAULT_DB_ALIAS]
    with django_db_blocker.unblock():
        connections[DEFAULT_DB_ALIAS] = ConnectionHandler({DEFAULT_DB_ALIAS: config})[DEFAULT_DB_ALIAS]
        try:
            call_command("migrate", verbosity=0)
            connections[DEFAULT_DB_ALIAS].close()
        finally:
            connections[DEFAULT_DB_ALIAS] = own
    return path


@pytest.fixture
def books_path(migrated_file: Path, tmp_path: Path) -> Path:
    """A migrated database of the test's own."""
    path = tmp_path / "gateway.sqlite3"
    with closing(sqlite3.connect(migrated_file)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until it is turned."""
    return FakeClock()


@pytest.fixture
async def sqlite_books(books_path: Path, clock: FakeClock) -> AsyncIterator[SqliteBooks]:
    """Open books on SQLite."""
    books = SqliteBooks(books_path, clock=clock)
    await books.open()
    yield books
    await books.close()


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, clock: FakeClock) -> Shop:
    """Books of each kind."""
    if request.param == "memory":
        return Shop(MemoryBooks(clock), clock)  # type: ignore[arg-type]
    return Shop(request.getfixturevalue("sqlite_books"), clock)
