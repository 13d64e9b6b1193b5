"""The PostgreSQL side of the drain: many lines become rows in one transaction, each once."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from usage.books.rows import COLUMNS, TABLE
from usage.drain.failures import Away, Refused, postgresql_faults

_INCOMING = "usage_incoming"
_LISTED = ", ".join(f'"{column}"' for column in COLUMNS)
_MAKE_INCOMING = f"CREATE TEMP TABLE {_INCOMING} (LIKE {TABLE}) ON COMMIT DELETE ROWS"
# Sorted, so that drainers with the same lines in hand wait for each other and never in a circle.
_APPEND = (
    f"INSERT INTO {TABLE} ({_LISTED}) SELECT {_LISTED} FROM {_INCOMING} ORDER BY id"  # noqa: S608
    " ON CONFLICT (id) DO NOTHING"
)
# What is committed leaves Redis: it has to be on the disk, whatever the database's default is.
_SYNCHRONOUS = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_BAD_COPY_FORMAT = "22P04"

_NAME: dict[str, Any] = {"application_name": "gateway drain"}


class Ledger:
    """The ledger table, over a connection that is made anew after each failure."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection | None = None

    def open(self) -> psycopg.Connection:
        """Connect, unless that is done."""
        if self._connection is None:
            with postgresql_faults():
                self._connection = _connect(self._conninfo)
        return self._connection

    def append(self, lines: Sequence[bytes]) -> int:
        """Commit the lines as rows, except those that are there already; how many were new."""
        connection = self.open()
        try:
            with postgresql_faults():
                return _append(connection, lines)
        except Away:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect(conninfo: str) -> psycopg.Connection:
    told = make_conninfo(**_NAME | conninfo_to_dict(conninfo) | {"client_encoding": "utf8"})
    connection = psycopg.connect(told, autocommit=True)
    try:
        connection.execute(_SYNCHRONOUS)
        connection.execute(_MAKE_INCOMING)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _append(connection: psycopg.Connection, lines: Sequence[bytes]) -> int:
    """Straight into the table, where all are new, as nearly always; else past those that are there."""
    # Sorted, so that drainers with the same lines in hand wait for each other and never in a circle.
    text = b"".join(sorted(lines))
    try:
        with connection.transaction():
            return _copy(connection, TABLE, text, len(lines))
    except psycopg.errors.UniqueViolation:
        with connection.transaction():
            _copy(connection, _INCOMING, text, len(lines))
            return connection.execute(_APPEND, prepare=True).rowcount


def _copy(connection: psycopg.Connection, table: str, text: bytes, count: int) -> int:
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({_LISTED}) FROM STDIN") as copy:
            copy.write(text)
        if cursor.rowcount != count:
            # A line that reads `\.` ends a COPY, and PostgreSQL would drop what follows without a word.
            raise Refused(_BAD_COPY_FORMAT)
        return count
