"""Books of each kind with their counters and their ledger open to be read."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec
from redis import Redis

from gateway.accounts import Account
from gateway.entry import Line
from gateway.memory import MemoryBooks
from gateway.ports import Books
from tests.support.clock import FakeClock
from tests.support.counters import read_counter
from usage.books.redis import RedisBooks
from usage.books.redis_recovery import Spent
from usage.books.rows import COLUMNS
from usage.books.shards import LINE, SHARDS, journal_key, shard_key
from usage.books.sqlite import SqliteBooks

Row = tuple[UUID, str, int, UUID | None, tuple[Line, ...]]
"""Id, status, charge, corrected id and lines of an entry."""

Counts = tuple[int, int]
"""What is spent, and what is held."""

_lines = msgspec.json.Decoder(tuple[Line, ...])


class Shop(Protocol):
    """Books that a test can look into."""

    clock: FakeClock

    @property
    def books(self) -> Books:
        """What is tested."""

    def windows(self, account: Account) -> dict[int, Counts]:
        """What an account counts, by the start of the window; windows without anything may be missing."""

    def open_holds(self) -> set[UUID]:
        """Calls that are not closed."""

    async def rows(self) -> list[Row]:
        """Every entry, corrections last."""


def counted(shop: Shop, account: Account) -> Counts:
    """What is spent and held on an account, all windows together."""
    found = shop.windows(account).values()
    return sum(spent for spent, _ in found), sum(held for _, held in found)


class TallyShop:
    """Books that count in memory."""

    def __init__(self, books: MemoryBooks | SqliteBooks, clock: FakeClock) -> None:
        self.books = books
        self.clock = clock

    def windows(self, account: Account) -> dict[int, Counts]:
        """The tally's counters."""
        counters = self.books.tally.counters.items()
        return {start: (one.spent, one.held) for (name, start), one in counters if name == account.id}

    def open_holds(self) -> set[UUID]:
        """The tally's holds."""
        return set(self.books.tally.holds)

    async def rows(self) -> list[Row]:
        """The entries, or the file's ledger."""
        if isinstance(self.books, MemoryBooks):
            return _in_order(
                (one.id, str(one.status), one.charge_nano, one.corrects, one.lines)
                for one in self.books.entries.values()
            )
        await self.books.drain()
        return read_rows(self.books.path)


class RedisShop:
    """Books on Redis, whose journal stands for the ledger."""

    def __init__(self, books: RedisBooks, redis: Redis, clock: FakeClock) -> None:
        self.books = books
        self.redis = redis
        self.clock = clock

    def windows(self, account: Account) -> dict[int, Counts]:
        """The counters of every shard that has any."""
        found = {}
        for key in [*self.keys(f"a:{account.id}"), *self.keys(f"o:{account.id}:*")]:
            told: Any = self.redis.get(key)
            counter = read_counter(told)
            found[counter.start] = (counter.spent, counter.held)
        return found

    def open_holds(self) -> set[UUID]:
        """What is kept of holds, which is what has a lease."""
        kept: list[Any] = [self.redis.hkeys(shard_key(shard, "holds")) for shard in range(SHARDS)]
        lines: list[Any] = [self.redis.hkeys(shard_key(shard, "lines")) for shard in range(SHARDS)]
        leased: list[Any] = [self.redis.zrange(shard_key(shard, "leases"), 0, -1) for shard in range(SHARDS)]
        assert list(map(set, kept)) == list(map(set, leased)) == list(map(set, lines))
        return {UUID(name.decode()) for names in kept for name in names}

    async def rows(self) -> list[Row]:
        """The lines of all journals; the ledger takes the first line of an id."""
        return _in_order({row[0]: row for row in reversed(self.lines())}.values())

    def lines(self) -> list[Row]:
        """All lines of all journals, repeated ones too."""
        streams: list[Any] = [self.redis.xrange(journal_key(shard)) for shard in range(SHARDS)]
        return [_read_line(fields[LINE]) for stream in streams for _, fields in stream]

    def age(self, seconds: int) -> None:
        """Let everything here be older by so much for Redis too, whose clock nobody turns."""
        passed = seconds * 1000
        for key in self.keys("*"):
            if (left := int(self.redis.pttl(key))) >= 0:
                self.redis.pexpire(key, left - passed)
        for key in self.keys("journal"):
            lines: Any = self.redis.xrange(key)
            self.redis.delete(key)
            for name, fields in lines:
                milliseconds, _, sequence = name.decode().partition("-")
                self.redis.xadd(key, fields, id=f"{int(milliseconds) - passed}-{sequence}")
        self.clock.advance(seconds)

    def state(self, shard: int) -> dict[str, str]:
        """What a shard says of itself."""
        told: Any = self.redis.hgetall(shard_key(shard, "state"))
        return {name.decode(): value.decode() for name, value in told.items()}

    def keys(self, name: str) -> list[str]:
        """Keys of this name or pattern in all shards."""
        found: list[Any] = self.redis.keys(f"gw:{{s*}}:{name}")
        return [key.decode() for key in found]


class Ledger:
    """What the books on Redis ask of the ledger, as a test would have it answered."""

    def __init__(self) -> None:
        self.spent: dict[int, list[Spent]] = {}
        self.known: set[UUID] = set()
        self.blank = False

    async def sums(self, shard: int, now_ms: int) -> Sequence[Spent]:
        """What the test says of a shard."""
        return self.spent.get(shard, [])

    async def is_blank(self) -> bool:
        """Whether the test says that nothing is there."""
        return self.blank

    async def holds(self, identifiers: Collection[UUID]) -> set[UUID]:
        """Those that the test says are there."""
        return self.known & set(identifiers)


async def make_ready(books: RedisBooks) -> None:
    """Tend fresh books until every shard is in service."""
    for _ in range(3):
        await books.tend()
    assert not [said for said in (await books.condition()).wrong if "shards" in said]


def read_rows(path: Path) -> list[Row]:
    """The ledger of a file."""
    query = "SELECT id, status, charge_nano, corrects, lines FROM usage_ledgerentry"
    with closing(sqlite3.connect(path)) as connection:
        return _in_order(
            (UUID(one), status, charge, UUID(corrects) if corrects else None, _lines.decode(lines))
            for one, status, charge, corrects, lines in connection.execute(query)
        )


def _read_line(line: bytes) -> Row:
    values = line.decode().removesuffix("\n").split("\t")
    told = dict(zip(COLUMNS, values, strict=True))
    corrects = None if told["corrects"] == "\\N" else UUID(told["corrects"])
    lines = _lines.decode(told["lines"])
    return UUID(told["id"]), told["status"], int(told["charge_nano"]), corrects, lines


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row[3] is not None, row[0].int))
