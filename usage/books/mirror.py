"""The SQLite side of the embedded books: what the tally says is so, made durable.

A call takes one row: its hold when it is admitted, its entry beside it when it is settled. That is
all the calls themselves wait for. A drain moves the entries of many calls to the ledger, with its
indexes, and writes the counters: both in one transaction, so that counters and entries agree.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.claims import Kept as Claim
from gateway.entry import Entry
from gateway.tally import Counter, Held, Share
from usage.books.rows import COLUMNS, SQLITE_VALUES, TABLE, sqlite_row

_INSERT_ENTRY = (
    f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join(SQLITE_VALUES)})"  # noqa: S608
    " ON CONFLICT (id) DO NOTHING"
)
_IS_IN_LEDGER = f"SELECT 1 FROM {TABLE} WHERE id = ?"  # noqa: S608
_ALL_HOLDS = "SELECT slot, lease_until_ms, record, tokens, state FROM usage_hold"
_PUT_HOLD = (
    "INSERT INTO usage_hold (slot, call_id, lease_until_ms, record, tokens, state) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (slot) DO UPDATE SET call_id = excluded.call_id, lease_until_ms = excluded.lease_until_ms,"
    " record = excluded.record, tokens = excluded.tokens, state = excluded.state"
)
_ALL_COUNTERS = "SELECT account, window_start, ends, unit, spent FROM usage_counter"
_PUT_COUNTER = (
    "INSERT INTO usage_counter (account, window_start, ends, unit, spent) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (account, window_start) DO UPDATE SET spent = excluded.spent"
)
_DELETE_COUNTER = "DELETE FROM usage_counter WHERE account = ? AND window_start = ?"
_ALL_CLAIMS = "SELECT key, body, call_id, until_ms, answer FROM usage_claim"
_PUT_CLAIM = (
    "INSERT INTO usage_claim (key, body, call_id, until_ms, answer) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET body = excluded.body, call_id = excluded.call_id,"
    " until_ms = excluded.until_ms, answer = excluded.answer"
)
_DELETE_CLAIM = "DELETE FROM usage_claim WHERE key = ?"
_BUSY_MS = 5_000
_CACHE_KILOBYTES = 8_192
"""The tips of the ledger's indexes stay in memory between drains."""

OPEN, SWEPT, CLOSED = 0, 1, 2

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decode_held = msgspec.msgpack.Decoder(Held).decode


class Busy(sqlite3.OperationalError):
    """Another writer has the file, and nobody is to wait for it here."""


class Closed(NamedTuple):
    """A call that was settled and is not in the ledger yet."""

    held: Held
    """Its skeleton is the entry now."""
    tokens: int


class Kept(Struct):
    """What the file knew when it was opened."""

    counters: list[Counter]
    open: list[Held]
    swept: list[Held]
    closed: list[Closed]
    claims: list[Claim]


class Mirror:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._patient: bool | None = None
        self._slots: dict[int, int] = {}
        """By the number of a call's id, which is looked up faster than the id itself."""
        self._free: list[int] = []
        execute = self._connection.execute
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA recursive_triggers=ON")
        execute(f"PRAGMA synchronous={synchronous}")
        execute("PRAGMA wal_autocheckpoint=0")
        execute(f"PRAGMA cache_size=-{_CACHE_KILOBYTES}")

    def be_patient(self, patient: bool) -> None:
        """Whether to wait for other writers, which is only for threads to do."""
        if patient is not self._patient:
            self._patient = patient
            self._connection.execute(f"PRAGMA busy_timeout={_BUSY_MS if patient else 0}")

    def load(self) -> Kept:
        """Everything, as the last commit left it."""
        kept = Kept(counters=[], open=[], swept=[], closed=[], claims=[])
        for key, body, call, until_ms, answer in self._connection.execute(_ALL_CLAIMS):
            kept.claims.append(Claim(key, body, UUID(call), until_ms, answer))
        for account, start_ms, ends_ms, unit, spent in self._connection.execute(_ALL_COUNTERS):
            kept.counters.append(Counter(Share(account, start_ms, ends_ms, unit), spent))
        self._slots.clear()
        for slot, lease_until_ms, record, tokens, state in self._connection.execute(_ALL_HOLDS):
            held = read_held(record, lease_until_ms)
            if state == CLOSED and self._in_ledger(held.id):
                continue
            self._slots[held.id.int] = slot
            if state == CLOSED:
                kept.closed.append(Closed(held, tokens))
            else:
                (kept.swept if state == SWEPT else kept.open).append(held)
        taken = set(self._slots.values())
        self._free = [slot for slot in range(1, max(taken, default=0)) if slot not in taken]
        return kept

    def begin(self) -> None:
        """Open the transaction, if it is not open yet."""
        if self._connection.in_transaction:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY and not self._patient:
                raise Busy from error
            raise

    def put(self, holds: Iterable[Held], state: int) -> None:
        """Write holds, new ones and changed ones."""
        self.begin()
        rows = [self._row(one, 0, state) for one in holds]
        self._connection.executemany(_PUT_HOLD, rows)

    def put_closed(self, closed: Iterable[Closed]) -> None:
        """Write what calls came to over what they held."""
        self.begin()
        rows = [self._row(held, tokens, CLOSED) for held, tokens in closed]
        self._connection.executemany(_PUT_HOLD, rows)

    def append(self, entry: Entry) -> bool:
        """Add an entry to the ledger; whether it is new."""
        self.begin()
        return bool(self._connection.execute(_INSERT_ENTRY, sqlite_row(entry)).rowcount)

    def drain(self, entries: Iterable[Entry], dirty: Iterable[Counter], old: Iterable[Counter]) -> None:
        """Move entries to the ledger, and let the counters say the same.

        The places of their calls are not touched: what is in the ledger has none any more.
        """
        self.begin()
        many = self._connection.executemany
        many(_INSERT_ENTRY, [sqlite_row(entry) for entry in entries])
        many(_PUT_COUNTER, [(*_key(one), one.share.ends_ms, one.share.unit, one.spent) for one in dirty])
        many(_DELETE_COUNTER, [_key(one) for one in old])

    def put_claim(self, claim: Claim) -> None:
        """Write a claim, a new one or a changed one."""
        self.begin()
        row = (claim.key, claim.body, claim.call.hex, claim.until_ms, claim.answer)
        self._connection.execute(_PUT_CLAIM, row)

    def drop_claims(self, keys: Iterable[str]) -> None:
        """Forget claims."""
        self.begin()
        self._connection.executemany(_DELETE_CLAIM, [(key,) for key in keys])

    def free(self, identifiers: Iterable[UUID]) -> None:
        """Let places be written over, once the commit says that nobody needs them."""
        for identifier in identifiers:
            slot = self._slots.pop(identifier.int, None)
            if slot is not None:
                heappush(self._free, slot)

    def commit(self) -> None:
        """Make it so, if anything was begun."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo what was not committed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Move the log into the file, on a connection of its own: this one may commit meanwhile."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _row(self, held: Held, tokens: int, state: int) -> tuple[int, str, int, bytearray, int, int]:
        number = held.id.int
        slot = self._slots.get(number)
        if slot is None:
            slot = heappop(self._free) if self._free else len(self._slots) + 1
            self._slots[number] = slot
        # As a bytearray: for a parameter of any other type but text and numbers SQLite's module first
        # looks for somebody who would adapt it.
        record = bytearray(_encoder.encode(held))
        return slot, f"{number:032x}", held.lease_until_ms, record, tokens, state

    def _in_ledger(self, identifier: UUID) -> bool:
        return self._connection.execute(_IS_IN_LEDGER, (identifier.hex,)).fetchone() is not None


def read_held(record: bytes, lease_until_ms: int) -> Held:
    """A row's hold."""
    held = _decode_held(record)
    held.lease_until_ms = lease_until_ms
    return held


def _key(counter: Counter) -> tuple[str, int]:
    return counter.share.account, counter.share.start_ms
