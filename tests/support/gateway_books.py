"""What the books of a gateway say, read past it: from its database file, or from PostgreSQL and Redis."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from redis import Redis

from tests.support.counters import read_counter
from usage.books.shards import LINE, SHARDS, journal_key, shard_key

_JSON = ("meters", "attempts", "lines", "tags")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the ledger, as the database has it."""

    id: str
    request_id: str
    tenant: str
    key: str
    status: str
    dialect: str
    kind: str
    model: str
    provider: str
    meters: dict[str, int]
    cost_nano: int
    charge_nano: int
    estimated: bool
    attempts: list[dict[str, Any]]
    tags: dict[str, str]
    corrects: str | None
    end_user_id: str | None

    @property
    def outcomes(self) -> list[str]:
        """How its attempts went, in turn."""
        return [attempt["outcome"] for attempt in self.attempts]


class BooksReading(Protocol):
    """A look into the books of a gateway."""

    def ledger(self, tenant: str) -> list[Row]:
        """The entries of a tenant, or of all, oldest first."""

    def open_holds(self) -> int:
        """How many calls' worst cases are still set aside."""

    def known_calls(self) -> int:
        """How many calls the books know at all: in flight, settled just now, or in the ledger."""

    def spent(self, unit: str, tenant: str) -> int:
        """What a tenant's own accounts of a unit have counted, all windows together."""


class EmbeddedReading:
    """The database file of a gateway that is one process."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def ledger(self, tenant: str) -> list[Row]:
        """The ledger table."""
        query = "SELECT * FROM usage_ledgerentry WHERE (:tenant = '' OR tenant = :tenant) ORDER BY id"
        with self._reading() as connection:
            return [_decoded(row) for row in connection.execute(query, {"tenant": tenant})]

    def open_holds(self) -> int:
        """Slots of calls that are not closed."""
        return int(self._one("SELECT count(*) FROM usage_hold WHERE state = 0"))

    def known_calls(self) -> int:
        """Slots and entries, each call once."""
        known = "SELECT id FROM usage_ledgerentry UNION SELECT call_id FROM usage_hold"
        return int(self._one(f"SELECT count(*) FROM ({known})"))  # noqa: S608

    def spent(self, unit: str, tenant: str) -> int:
        """Sums the counters in the file."""
        owner = self._one("SELECT id FROM tenants_tenant WHERE name = ?", tenant)
        counted = "SELECT coalesce(sum(spent), 0) FROM usage_counter WHERE account LIKE ?"
        return int(self._one(counted, f"tenant:{owner}:{unit}:%"))

    def _one(self, query: str, *values: str) -> Any:
        with self._reading() as connection:
            return connection.execute(query, values).fetchone()[0]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection


class DistributedReading:
    """PostgreSQL and Redis of a gateway that is several processes."""

    def __init__(self, *, database: str, redis: str) -> None:
        self._database = database
        self._redis = redis

    def ledger(self, tenant: str) -> list[Row]:
        """The ledger table; entries that wait in the journal are not in it yet."""
        query = "SELECT * FROM usage_ledgerentry WHERE (%(tenant)s = '' OR tenant = %(tenant)s) ORDER BY id"
        with psycopg.connect(self._database, row_factory=dict_row) as connection:
            return [_row(row) for row in connection.execute(query, {"tenant": tenant})]

    def open_holds(self) -> int:
        """Holds of all shards."""
        with closing(Redis.from_url(self._redis)) as redis:
            return sum(redis.hlen(shard_key(shard, "holds")) for shard in range(SHARDS))

    def known_calls(self) -> int:
        """Holds, then lines, then entries: a call goes that way, so none is missed in between."""
        with closing(Redis.from_url(self._redis)) as redis:
            known: set[UUID] = set()
            for shard in range(SHARDS):
                names: Any = redis.hkeys(shard_key(shard, "holds"))
                known |= {UUID(name.decode()) for name in names}
            for shard in range(SHARDS):
                known |= {_call_of(fields) for _, fields in _lines(redis, shard)}
        return len(known | {UUID(row.id) for row in self.ledger("")})

    def spent(self, unit: str, tenant: str) -> int:
        """Sums the accounts' windows, those included that have turned."""
        with psycopg.connect(self._database) as connection:
            found = connection.execute("SELECT id FROM tenants_tenant WHERE name = %s", [tenant]).fetchone()
        assert found is not None
        account = f"tenant:{found[0].hex}:{unit}:*"
        with closing(Redis.from_url(self._redis)) as redis:
            keys = [*_found(redis, f"a:{account}"), *_found(redis, f"o:{account}")]
            told: list[Any] = [redis.get(key) for key in keys]
            return sum(read_counter(packed).spent for packed in told if packed)


def _lines(redis: Redis, shard: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
    found: Any = redis.xrange(journal_key(shard))
    return list(found)


def _found(redis: Redis, pattern: str) -> list[str]:
    """Keys of all shards."""
    shards = range(SHARDS)
    return [key.decode() for shard in shards for key in redis.scan_iter(shard_key(shard, pattern), 1_000)]


def _call_of(fields: Mapping[bytes, bytes]) -> UUID:
    return UUID(fields[LINE].partition(b"\t")[0].decode())


def _decoded(row: sqlite3.Row) -> Row:
    return _row({name: json.loads(row[name]) if name in _JSON else row[name] for name in row.keys()})  # noqa: SIM118


def _row(row: Mapping[str, Any]) -> Row:
    told = ((name, row[name]) for name in Row.__dataclass_fields__)
    plain: dict[str, Any] = {name: value.hex if isinstance(value, UUID) else value for name, value in told}
    return Row(**plain)
