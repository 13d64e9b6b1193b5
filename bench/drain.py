"""How many ledger lines a second one drainer moves from Redis to PostgreSQL, both real.

python -m bench.drain [--lines 100000] [--shards 16] [--redis URL] [--postgresql URL]
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from redis import Redis

from bench.processes import BenchError, run
from bench.report import verdict
from gateway.call import Attempt, Usage
from gateway.entry import Entry, Line
from gateway.ids import uuid7
from usage.books.rows import copy_line
from usage.books.shards import LINE, SHARDS, journal_key
from usage.drain.drainer import Drainer
from usage.drain.journal import Journal
from usage.drain.ledger import Ledger

ROWS_TARGET = 20_000
_WRITTEN_AT_ONCE = 1_000
_TENANTS = [uuid7() for _ in range(50)]
_KEYS = [uuid7() for _ in range(200)]
_METERS = ("input", "cache_read", "output", "reasoning")


def make_entry(random: Random) -> Entry:
    """A call of some tenant's, with all columns filled."""
    tenant = random.randrange(len(_TENANTS))
    lines = tuple(make_line(meter, random.randrange(1, 10_000)) for meter in _METERS)
    nano = sum(line.cost_nano for line in lines)
    return Entry(
        id=uuid7(),
        at_ms=time.time_ns() // 1_000_000,
        request_id=f"req-{random.getrandbits(128):032x}",
        tenant_id=_TENANTS[tenant],
        tenant=f"tenant-{tenant}",
        project_id=_TENANTS[tenant],
        project="search",
        cost_centre="CC-42",
        key_id=random.choice(_KEYS),
        key="app",
        end_user_id=uuid7(),
        dialect="openai",
        kind="chat",
        status="settled",
        model_asked="small",
        model="gpt-4o-mini",
        provider_id=_TENANTS[0],
        provider="openai",
        deployment_id=_TENANTS[1],
        deployment="openai/gpt-4o-mini",
        meters=Usage(input=1_234, cache_read=512, output=345, reasoning=99),
        cost_nano=nano,
        charge_nano=nano,
        lines=lines,
        price_version="2026-01-01",
        attempts=(Attempt(deployment="openai/gpt-4o-mini", outcome="ok", milliseconds=800, status=200),),
        latency_ms=812,
        ttft_ms=210,
        overhead_us=350,
        sensitivity="public",
        tags={"feature": "search", "team": "core"},
    )


def make_line(meter: str, units: int) -> Line:
    """A meter with a price."""
    nano = 150 * units
    return Line(meter=meter, units=units, pico=150_000, cost_nano=nano, charge_nano=nano, price=7)


def fill(redis: Redis, lines: int, shards: int) -> int:
    """Journal so many lines, evenly over the shards; their bytes."""
    random, size = Random(1), 0  # noqa: S311 - figures, not secrets
    for first in range(0, lines, _WRITTEN_AT_ONCE):
        pipeline = redis.pipeline(transaction=False)
        for number in range(first, min(first + _WRITTEN_AT_ONCE, lines)):
            line = copy_line(make_entry(random))
            size += len(line)
            pipeline.xadd(journal_key(number % shards), {LINE: line})
        pipeline.execute()
    return size


@contextmanager
def empty_redis(url: str) -> Iterator[Redis]:
    """The database, which must be nobody's, and is emptied in the end."""
    with closing(Redis.from_url(url)) as redis:
        if redis.dbsize():
            raise BenchError(f"{url} is not empty: name another database of Redis with --redis.")
        try:
            yield redis
        finally:
            redis.flushdb()


@contextmanager
def migrated_database(server: str) -> Iterator[str]:
    """A database with all tables, dropped in the end."""
    name = f"gateway_bench_{uuid4().hex[:12]}"
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            url = urlsplit(server)._replace(path=f"/{name}").geturl()
            run(["manage.py", "migrate", "--verbosity", "0"], extra={"DATABASE_URL": url})
            yield url
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def measure(redis: str, database: str) -> tuple[int, float, float]:
    """Rows moved, seconds that it took, and CPU seconds of the drainer."""
    with closing(Drainer(journal=Journal(redis), ledger=Ledger(database), upkeep=list)) as drainer:
        began, used = time.perf_counter(), time.process_time()
        drainer.run_once()
        return drainer.rows, time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Print the figure, and whether it is good enough."""
    parser = argparse.ArgumentParser(description="Ledger lines a second through one drainer.")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=SHARDS, help="over how many shards they are spread")
    parser.add_argument("--redis", default="redis://127.0.0.1:6379/15", help="an empty database")
    parser.add_argument(
        "--postgresql", default="postgresql://postgres@127.0.0.1:5432/postgres", help="a server"
    )
    asked = parser.parse_args()
    with empty_redis(asked.redis) as redis, migrated_database(asked.postgresql) as database:
        size = fill(redis, asked.lines, asked.shards)
        rows, seconds, used = measure(asked.redis, database)
    if rows != asked.lines:
        raise BenchError(f"{asked.lines} lines became {rows} rows.")
    speed = rows / seconds
    print(f"{rows:,} lines of {size // rows:,} bytes in {asked.shards} shards: {speed:,.0f} rows/s")
    print(f"{used / rows * 1e6:.1f} µs of the drainer's own CPU a row")
    print(f"target: ≥ {ROWS_TARGET:,} rows/s on one drainer, {verdict(speed >= ROWS_TARGET)}")


if __name__ == "__main__":
    main()
