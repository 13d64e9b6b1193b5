"""Lifts the triggers that keep rows from changing, for as long as a test's tables are emptied."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.test import TransactionTestCase


@contextmanager
def guards_lifted() -> Iterator[None]:
    """Let rows of guarded tables be changed and removed within."""
    lifted = _lifted_on_postgresql if connection.vendor == "postgresql" else _lifted_on_sqlite
    with lifted():
        yield


def flush_lifts_guards() -> None:
    """Make Django's own flush after a transactional test lift the guards first."""
    case_class: Any = TransactionTestCase  # its method is private, and there is no public place for this
    teardown = case_class._fixture_teardown

    def unguarded_teardown(case: Any) -> None:
        with guards_lifted():
            teardown(case)

    case_class._fixture_teardown = unguarded_teardown


@contextmanager
def _lifted_on_postgresql() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")


@contextmanager
def _lifted_on_sqlite() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for _, sql in triggers:
                cursor.execute(sql)
