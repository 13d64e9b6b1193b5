"""Finds the real servers that tests run against, and takes a database of each for a session.

Each server is the one that the environment names, else one that answers on this machine, else one from a
wheel, on a free port and in a folder that is thrown away.
"""

import atexit
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from tests.support.nats_server import nats_greeting, own_nats
from tests.support.own_servers import own_postgresql
from tests.support.passage import Address
from tests.support.ports import answers
from tests.support.redis_server import own_redis


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server may be found."""

    names: Sequence[str]
    """What may name it in the environment, in this order."""
    local: str
    """Its URL when it is on this machine."""
    begins: str = ""
    """How a name of it begins, where the same setting may name something else."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens when it is on this machine."""
        at = urlsplit(self.local)
        assert at.hostname
        assert at.port
        return at.hostname, at.port


POSTGRESQL = Place(
    names=("TEST_DATABASE_URL", "DATABASE_URL"),
    local="postgresql://postgres@127.0.0.1:5432/postgres",
    begins="postgres",
)
REDIS = Place(names=("REDIS_URL",), local="redis://127.0.0.1:6379")
NATS = Place(names=("NATS_URL",), local="nats://127.0.0.1:4222")

_REDIS_DATABASES = 16
_TAKEN = "gateway:tests"
_TAKEN_SECONDS = 3_600
_OURS = "gateway:tests:once"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of an empty database of this session's own."""
    with redis_database() as url:
        yield url


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """The URL of a server that keeps streams; others may use it too, so that their names must be fresh."""
    with nats_server() as url:
        yield url


@contextmanager
def postgresql_database(*, like: str = "") -> Iterator[str]:
    """The URL of an empty database, or of a copy of one that nobody uses; it is dropped in the end."""
    name = f"gateway_test_{uuid4().hex[:12]}"
    server = _postgresql_server()
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        copied = f' TEMPLATE "{urlsplit(like).path[1:]}"' if like else ""
        connection.execute(f'CREATE DATABASE "{name}"{copied}')
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def redis_database() -> Iterator[str]:
    """The URL of an empty database that nobody else takes meanwhile; it is emptied in the end."""
    server = known(REDIS)
    url = _free_database(urlsplit(server)._replace(path="").geturl()) if server else None
    if url is None:
        with tempfile.TemporaryDirectory(prefix="gateway-redis-") as folder, own_redis(Path(folder)) as own:
            yield own.url
        return
    try:
        yield url
    finally:
        with closing(Redis.from_url(url)) as redis:
            redis.flushdb()


@contextmanager
def nats_server() -> Iterator[str]:
    """The URL of a server that keeps streams."""
    with ExitStack() as stack:
        url = known(NATS)
        if not url:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-nats-"))
            url = stack.enter_context(own_nats(Path(folder)))
        assert nats_greeting(url).get("jetstream"), (
            "The NATS server keeps no streams: start it with --jetstream."
        )
        yield url


def postgresql_address(url: str) -> Address:
    """Where the server of a database really listens."""
    with psycopg.connect(url) as connection:
        host, port = connection.info.host, connection.info.port
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def known(place: Place) -> str:
    """The URL of a server that others may use too; empty when there is none."""
    named = (os.environ.get(name, "") for name in place.names)
    if url := next((url for url in named if url and url.startswith(place.begins)), ""):
        return url
    return place.local if answers(*place.address) else ""


@cache
def _postgresql_server() -> str:
    """The URL of a server on which databases may be made; one of our own ends with the process."""
    if url := known(POSTGRESQL):
        return url
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(own_postgresql()).url


def _free_database(server: str) -> str | None:
    """A database that was empty, or that tests left behind; high numbers are the least likely in use."""
    for number in reversed(range(1, _REDIS_DATABASES)):
        url = f"{server}/{number}"
        with closing(Redis.from_url(url)) as redis, suppress(RedisAway, ResponseError):
            if _take(redis):
                return url
    return None


def _take(redis: Redis) -> bool:
    """Mark a database as taken, if it is nobody's; what was in it is gone then."""
    is_free = not redis.dbsize() or redis.exists(_OURS)
    if not is_free or not redis.set(_TAKEN, os.getpid(), nx=True, ex=_TAKEN_SECONDS):
        return False
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.flushdb()
        pipeline.set(_OURS, 1)
        pipeline.set(_TAKEN, os.getpid(), ex=_TAKEN_SECONDS)
        pipeline.execute()
    return True
