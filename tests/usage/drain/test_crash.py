"""A drainer that is killed, as a process of its own: whatever it had done, each line is one row."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Running
from tests.support.waiting import eventually
from tests.usage.drain.conftest import Making, Works

pytestmark = [pytest.mark.servers, pytest.mark.chaos]


@pytest.fixture
def drain(works: Works, tmp_path: Path) -> Iterator[Running]:
    """`manage.py drain`, not started yet."""
    environment = {
        "DATABASE_URL": works.conninfo,
        "REDIS_URL": works.server.url,
        "GATEWAY_HOME": str(tmp_path),
    }
    running = Running("drain", environment=environment, log=tmp_path / "drain.log")
    yield running
    running.kill()


def test_killed_between_commit_and_acknowledgement(works: Works, entries: Making, drain: Running) -> None:
    works.write(entries(100))
    drain.start()
    with works.locked():
        assert eventually(works.inserting)
        works.redis.client_pause(60_000, all=False)
    try:
        assert works.eventually_rows(100) == 100
    finally:
        drain.kill()
        works.redis.client_unpause()
    assert works.left() == 100
    again = works.drain()
    assert (again.rows, again.set_aside, works.left()) == (0, 0, 0)
    assert len(works.rows()) == 100


def test_killed_before_the_commit(works: Works, entries: Making, drain: Running) -> None:
    works.write(entries(100))
    drain.start()
    with works.locked():
        assert eventually(works.inserting)
        drain.kill()
    assert works.left() == 100
    works.drain()
    assert (len(works.rows()), works.left()) == (100, 0)


def test_killed_in_the_middle_of_many_lines(works: Works, entries: Making, drain: Running) -> None:
    works.write(entries(20_000))
    for reached in (1, 6_000, 12_000):
        drain.start()
        assert works.reaches(reached)
        drain.kill()
    works.drain()
    assert (len(works.rows()), works.left()) == (20_000, 0)


def test_told_to_end_it_finishes_what_it_has_in_hand(works: Works, entries: Making, drain: Running) -> None:
    works.write(entries(100))
    drain.start()
    with works.locked():
        assert eventually(works.inserting)
        os.kill(drain.pid, signal.SIGTERM)
    assert works.eventually_rows(100) == 100
    assert drain.stop() == 0
    assert "100 rows were added to the ledger" in drain.log
    assert works.left() == 0
