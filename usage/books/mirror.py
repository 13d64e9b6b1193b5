"""The SQLite side of the embedded books: what the tally says is so, made durable."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import msgspec

from gateway.entry import Entry
from gateway.tally import Counter, Held
from usage.books.rows import COLUMNS, TABLE, sqlite_row

_INSERT_ENTRY = (
    f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
    " ON CONFLICT (id) DO NOTHING"
)
_PUT_HOLD = (
    "INSERT INTO usage_hold (id, lease_until_ms, record, swept) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET"
    " lease_until_ms = excluded.lease_until_ms, record = excluded.record, swept = excluded.swept"
)
_DELETE_HOLD = "DELETE FROM usage_hold WHERE id = ?"
_PUT_COUNTER = (
    "INSERT INTO usage_counter (account, window_start, ends, spent) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (account, window_start) DO UPDATE SET spent = excluded.spent"
)
_DELETE_COUNTER = "DELETE FROM usage_counter WHERE account = ? AND window_start = ?"
_BUSY_SECONDS = 5.0

_encode = msgspec.json.Encoder().encode
_decode_held = msgspec.json.Decoder(Held).decode


class Changes:
    """What one transaction writes."""

    def __init__(self) -> None:
        self.holds: dict[UUID, Held] = {}
        self.swept: list[Held] = []
        self.closed: list[UUID] = []
        self.entries: list[Entry] = []
        self.forgotten: list[Counter] = []

    def close(self, identifier: UUID) -> None:
        """A hold is open no more; one that opened in this same transaction never reaches the file."""
        if self.holds.pop(identifier, None) is None:
            self.closed.append(identifier)

    def __bool__(self) -> bool:
        return bool(self.holds or self.swept or self.closed or self.entries or self.forgotten)


class Mirror:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._connection = sqlite3.connect(
            path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA recursive_triggers=ON")
        self._connection.execute(f"PRAGMA synchronous={synchronous}")

    def load(self) -> tuple[list[Counter], list[Held], list[Held]]:
        """Counters, open holds and swept ones, as the last commit left them."""
        counters = [
            Counter(*row)
            for row in self._connection.execute(
                "SELECT account, window_start, ends, spent FROM usage_counter"
            )
        ]
        holds: list[Held] = []
        swept: list[Held] = []
        for lease_until_ms, record, is_swept in self._connection.execute(
            "SELECT lease_until_ms, record, swept FROM usage_hold"
        ):
            held = _decode_held(record)
            held.lease_until_ms = lease_until_ms
            (swept if is_swept else holds).append(held)
        return counters, holds, swept

    def begin(self) -> None:
        """Open the transaction, if it is not open yet."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def append(self, entry: Entry) -> bool:
        """Add an entry; whether it is new."""
        self.begin()
        return bool(self._connection.execute(_INSERT_ENTRY, sqlite_row(entry)).rowcount)

    def write(self, changes: Changes, dirty: Iterable[Counter]) -> None:
        """Carry changes and counters into the file, and commit."""
        self.begin()
        many = self._connection.executemany
        if changes.holds or changes.swept:
            many(_PUT_HOLD, [_hold_row(held, swept=False) for held in changes.holds.values()])
            many(_PUT_HOLD, [_hold_row(held, swept=True) for held in changes.swept])
        if changes.closed:
            many(_DELETE_HOLD, [(identifier.hex,) for identifier in changes.closed])
        if changes.entries:
            many(_INSERT_ENTRY, [sqlite_row(entry) for entry in changes.entries])
        many(_PUT_COUNTER, [(one.account, one.start_ms, one.ends_ms, one.spent) for one in dirty])
        many(_DELETE_COUNTER, [(one.account, one.start_ms) for one in changes.forgotten])
        self._connection.execute("COMMIT")

    def is_open(self) -> bool:
        """Whether a transaction has been begun."""
        return self._connection.in_transaction

    def roll_back(self) -> None:
        """Undo what was not committed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _hold_row(held: Held, *, swept: bool) -> tuple[str, int, str, bool]:
    return held.id.hex, held.lease_until_ms, _encode(held).decode(), swept
