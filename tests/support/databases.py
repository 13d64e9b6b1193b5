"""Lets one test run on SQLite and on PostgreSQL, by lending the default database to another server."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from gateway_project.database import database_settings
from tests.support.prepared import migrated_database


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a database of this session's own, with every table."""
    with migrated_database() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_connection(
    postgresql_url: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[BaseDatabaseWrapper]:
    """A connection to the session's database on PostgreSQL."""
    config = database_settings(url=postgresql_url, home=settings.GATEWAY_HOME, synchronous="NORMAL")
    connection = ConnectionHandler({DEFAULT_DB_ALIAS: config})[DEFAULT_DB_ALIAS]
    yield connection
    with django_db_blocker.unblock():
        connection.close()


@pytest.fixture
def postgresql(
    postgresql_connection: BaseDatabaseWrapper, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """The test's default database is on PostgreSQL; what it writes is rolled back."""
    with django_db_blocker.unblock(), _lent(postgresql_connection), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest) -> str:
    """The test runs once on each kind of database, and learns which."""
    vendor: str = request.param
    configured = settings.DATABASES[DEFAULT_DB_ALIAS]["ENGINE"].rpartition(".")[2]
    if vendor == "sqlite" and configured != "sqlite3":
        pytest.skip("DATABASE_URL names a PostgreSQL server")
    request.getfixturevalue("db" if vendor == configured.rstrip("3") else "postgresql")
    return vendor


@contextmanager
def _lent(connection: BaseDatabaseWrapper) -> Iterator[None]:
    own = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = own
