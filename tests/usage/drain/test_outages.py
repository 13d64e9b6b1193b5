"""Servers that go away while lines are moved: nothing is lost, and nothing comes twice."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.waiting import eventually
from tests.usage.drain.conftest import Making, Works
from usage.drain.failures import Away

pytestmark = [pytest.mark.servers, pytest.mark.chaos]


@contextmanager
def closed_database(works: Works) -> Iterator[None]:
    """Nobody may connect, and drainers are thrown out."""
    name = conninfo_to_dict(works.conninfo)["dbname"]
    other = make_conninfo(works.conninfo, dbname="postgres")
    with closing(psycopg.connect(other, autocommit=True)) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name = 'gateway drain'",
                [name],
            )
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def test_a_connection_that_is_cut_in_an_insert(works: Works, entries: Making) -> None:
    with works.running(works.drainer()):
        with works.locked():
            works.write(entries(50))
            assert eventually(works.inserting)
            assert works.cut() == 1
        assert works.eventually_rows(50) == 50
        assert eventually(lambda: works.left() == 0)


def test_a_connection_that_is_cut_again_and_again(works: Works, entries: Making) -> None:
    with works.running(works.drainer()):
        for _ in range(3):
            works.write(entries(2_000))
            assert eventually(works.cut)
        assert works.eventually_rows(6_000) == 6_000
        assert eventually(lambda: works.left() == 0)


def test_postgresql_away_means_waiting(
    works: Works, entries: Making, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "usage.drain")
    with works.running(works.drainer()):
        works.write(entries(1))
        assert works.eventually_rows(1) == 1
        with closed_database(works):
            works.write(entries(30))
            assert eventually(lambda: "the drain waits: PostgreSQL" in caplog.text)
            assert works.left() == 30
        assert works.eventually_rows(31) == 31
    assert "the drain goes on" in caplog.text
    assert works.poisoned() == []


def test_draining_once_does_not_wait(works: Works, entries: Making) -> None:
    works.write(entries(1))
    drainer = works.drainer()
    with closed_database(works), pytest.raises(Away, match="PostgreSQL"):
        drainer.run_once()
    drainer.run_once()
    assert len(works.rows()) == 1


def test_a_wiped_redis_gets_its_group_again(works: Works, entries: Making) -> None:
    with works.running(works.drainer()):
        works.write(entries(5))
        assert works.eventually_rows(5) == 5
        works.redis.flushall()
        works.write(entries(5))
        assert works.eventually_rows(10) == 10
        assert eventually(lambda: works.left() == 0)


def test_a_wiped_redis_is_no_error_of_the_drain(
    works: Works, entries: Making, caplog: pytest.LogCaptureFixture
) -> None:
    """As it is emptied before a first start, while the drain has begun already."""
    with works.running(works.drainer()):
        works.write(entries(1))
        assert works.eventually_rows(1) == 1
        works.redis.flushall()
        assert eventually(lambda: "the drain waits: Redis" in caplog.text)
        works.write(entries(2))
        assert works.eventually_rows(3) == 3
    assert max(record.levelno for record in caplog.records) == logging.WARNING


def test_a_redis_that_is_wiped_between_commit_and_acknowledgement(works: Works, entries: Making) -> None:
    with works.running(works.drainer()):
        with works.locked():
            works.write(entries(5))
            assert eventually(works.inserting)
            works.redis.flushall()
        assert works.eventually_rows(5) == 5
        works.write(entries(5))
        assert works.eventually_rows(10) == 10


def test_a_redis_that_dies_and_comes_back(works: Works, entries: Making) -> None:
    works.write(entries(50))
    with ExitStack() as running:
        with works.locked():
            running.enter_context(works.running(works.drainer()))
            assert eventually(works.inserting)
            works.server.kill()
        assert works.eventually_rows(50) == 50
        works.server.start()
        assert works.left() == 50
        works.write(entries(1))
        assert works.eventually_rows(51) == 51
        assert eventually(lambda: works.left() == 0)


def test_a_full_redis_is_drained(works: Works, entries: Making) -> None:
    works.drain()
    works.write(entries(500))
    works.redis.config_set("maxmemory", 1)
    try:
        assert works.drain().rows == 500
        assert works.left() == 0
        assert works.mark() is not None
    finally:
        works.redis.config_set("maxmemory", 0)
