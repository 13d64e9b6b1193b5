"""A Redis with journals, a PostgreSQL with the ledger, and drainers between them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.entry import Entry
from tests.support.drain_redis import RedisServer
from tests.support.engine import make_entry
from tests.support.waiting import eventually
from usage.books.rows import copy_line
from usage.books.shards import LINE, SHARDS, journal_key, shard_key, shard_of
from usage.drain.drainer import Drainer
from usage.drain.journal import Journal
from usage.drain.ledger import Ledger

Making = Callable[[int], list[Entry]]
"""Makes so many entries."""

_EMPTIED = "SET session_replication_role = replica; DELETE FROM usage_ledgerentry"
_TERMINATED = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'gateway drain'"
)
_WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'gateway drain' AND wait_event_type = 'Lock'"
)


class Works:
    """What stands at both ends of a drain."""

    def __init__(self, server: RedisServer, conninfo: str) -> None:
        self.server = server
        self.redis = server.client
        self.conninfo = conninfo
        self._open: list[Drainer] = []
        for shard in range(SHARDS):
            self.redis.hset(shard_key(shard, "state"), "seq", 1)

    def drainer(self, *, journal: Journal | None = None, **options: Any) -> Drainer:
        """One more drainer."""
        options.setdefault("upkeep", list)
        drainer = Drainer(journal=journal or self.journal(), ledger=Ledger(self.conninfo), **options)
        self._open.append(drainer)
        return drainer

    def journal(self, **options: Any) -> Journal:
        """The journal as one more drainer sees it."""
        return Journal(self.server.url, **options)

    def commands(self, name: str) -> int:
        """How many of a kind Redis has carried out."""
        told = self.redis.info("commandstats").get(f"cmdstat_{name}")
        return int(told["calls"]) if told else 0

    def drain(self) -> Drainer:
        """Move all that is there."""
        drainer = self.drainer()
        drainer.run_once()
        return drainer

    @contextmanager
    def running(self, *drainers: Drainer) -> Iterator[None]:
        """Drainers at work; how they end is seen too."""
        with ThreadPoolExecutor(len(drainers)) as threads:
            ends = [threads.submit(drainer.run) for drainer in drainers]
            try:
                yield
            finally:
                for drainer in drainers:
                    drainer.stop()
            for end in ends:
                end.result()

    def write(self, entries: Iterable[Entry]) -> list[bytes]:
        """Journal entries, each in its tenant's shard; their stream ids."""
        pipeline = self.redis.pipeline()
        for entry in entries:
            pipeline.xadd(journal_key(shard_of(entry.tenant_id)), {LINE: copy_line(entry)})
        ids: list[bytes] = pipeline.execute()
        return ids

    def write_line(self, line: bytes, *, field: bytes = LINE, shard: int = 0) -> bytes:
        """Journal anything at all; its stream id."""
        written: Any = self.redis.xadd(journal_key(shard), {field: line})
        return bytes(written)

    def left(self) -> int:
        """How many lines are still in the journal."""
        lengths: list[Any] = [self.redis.xlen(journal_key(shard)) for shard in range(SHARDS)]
        return sum(lengths)

    def mark(self, shard: int = 0) -> bytes | None:
        """How far the shard is drained, as it says itself."""
        mark: Any = self.redis.hget(shard_key(shard, "state"), "drained")
        return None if mark is None else bytes(mark)

    def poisoned(self, shard: int = 0) -> list[dict[bytes, bytes]]:
        """What was set aside."""
        found: Any = self.redis.xrange(shard_key(shard, "poisoned"))
        return [fields for _, fields in found]

    def rows(self) -> list[UUID]:
        """The ids of the ledger."""
        return [row[0] for row in self.query("SELECT id FROM usage_ledgerentry ORDER BY id")]

    def eventually_rows(self, count: int) -> int:
        """How many rows there are, once there are as many; else in the end."""
        eventually(lambda: len(self.rows()) == count)
        return len(self.rows())

    def reaches(self, count: int) -> bool:
        """Whether there are as many rows before long."""
        return eventually(lambda: len(self.rows()) >= count)

    def query(self, statement: str) -> list[Any]:
        """What PostgreSQL answers."""
        with closing(psycopg.connect(self.conninfo, autocommit=True)) as connection:
            return connection.execute(statement.encode()).fetchall()

    def cut(self) -> int:
        """End the drainers' connections from the side of PostgreSQL; how many there were."""
        return int(self.query(_TERMINATED)[0][0])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Whoever adds rows waits."""
        with closing(psycopg.connect(self.conninfo)) as connection:
            connection.execute("LOCK TABLE usage_ledgerentry IN EXCLUSIVE MODE")
            yield

    def inserting(self) -> int:
        """How many drainers wait to add rows."""
        return len(self.query(_WAITING))

    def close(self) -> None:
        """Let drainers go, and leave nothing behind."""
        for drainer in self._open:
            drainer.close()
        self.redis.flushall()
        with closing(psycopg.connect(self.conninfo, autocommit=True)) as connection:
            connection.execute(_EMPTIED.encode())


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for the tests of the drain."""
    with closing(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        server.start()
        yield server


@pytest.fixture
def works(
    redis_server: RedisServer, postgresql_url: str, postgresql_connection: BaseDatabaseWrapper
) -> Iterator[Works]:
    """An empty journal and an empty ledger; the connection is there for its migrations."""
    with closing(Works(redis_server, postgresql_url)) as works:
        yield works


@pytest.fixture
def entries() -> Making:
    """Makes entries of as many tenants as there are shards."""

    def make(count: int) -> list[Entry]:
        return [make_entry(number + 1, tenant_id=UUID(int=number)) for number in range(count)]

    return make
