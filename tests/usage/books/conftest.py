"""Books to test: in memory, on a migrated SQLite file of the test's own, and on Redis."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gateway.memory import MemoryBooks
from tests.support.clock import FakeClock
from tests.support.prepared import migrated_home
from tests.support.redis_server import OwnRedis, own_redis
from tests.usage.books.losses import rebuild
from tests.usage.books.shops import Ledger, RedisShop, Shop, TallyShop, make_ready
from usage.books.redis import RedisBooks
from usage.books.sqlite import SqliteBooks

Open = Callable[..., Awaitable[RedisBooks]]


@pytest.fixture(scope="session")
def migrated_file() -> Path:
    """An empty database with every table and trigger."""
    return migrated_home() / "gateway.sqlite3"


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


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The session's database, without any books."""
    with closing(Redis.from_url(redis_url, protocol=2)) as client:
        forget_books(client)
        yield client
        forget_books(client)


def forget_books(client: Redis) -> None:
    """Leave nothing of any books."""
    for key in client.scan_iter("gw:*", count=1_000):
        client.delete(key)


@pytest.fixture
def ledger() -> Ledger:
    """A ledger that says what a test wants."""
    return Ledger()


@pytest.fixture
async def opened(redis_url: str, ledger: Ledger, clock: FakeClock) -> AsyncIterator[Open]:
    """Opens books on Redis, each time those of another process."""
    async with AsyncExitStack() as stack:

        async def open_books(url: str = redis_url, **options: Any) -> RedisBooks:
            defaults: dict[str, Any] = {
                "sums": ledger.sums,
                "is_blank": ledger.is_blank,
                "in_ledger": ledger.holds,
                "clock": clock,
                "rebuild_ms": 0,
            }
            books = RedisBooks(url, **defaults | options)
            stack.push_async_callback(books.close)
            await books.open()
            return books

        yield open_books


@pytest.fixture
async def redis_shop(redis: Redis, opened: Open, clock: FakeClock) -> RedisShop:
    """Open books on Redis, in service."""
    books = await opened()
    await make_ready(books)
    return RedisShop(books, redis, clock)


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """A server that tests may pause, wipe and restart; each leaves it running."""
    with own_redis(
        tmp_path_factory.mktemp("redis"), "--appendonly", "yes", "--appendfsync", "always"
    ) as server:
        yield server


@pytest.fixture
def server(own_server: OwnRedis) -> OwnRedis:
    """That one, empty."""
    own_server.wipe()
    return own_server


@pytest.fixture
async def own_shop(server: OwnRedis, opened: Open, clock: FakeClock) -> RedisShop:
    """Books in service on that one; they take three seconds to be rebuilt."""
    books = await opened(server.url, rebuild_ms=3_000)
    shop = RedisShop(books, server.client, clock)
    await rebuild(shop)
    await make_ready(books)
    return shop


@pytest.fixture(params=["memory", "sqlite", "redis"])
def shop(request: pytest.FixtureRequest, clock: FakeClock) -> Shop:
    """Books of each kind."""
    if request.param == "memory":
        return TallyShop(MemoryBooks(clock), clock)  # type: ignore[arg-type]
    if request.param == "redis":
        found: RedisShop = request.getfixturevalue("redis_shop")
        return found
    return TallyShop(request.getfixturevalue("sqlite_books"), clock)
