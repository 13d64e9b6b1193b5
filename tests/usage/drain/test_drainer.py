"""From the journal to the ledger: each line once, whoever moves it."""

from contextlib import closing
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.engine import make_entry
from tests.support.waiting import eventually
from tests.usage.drain.conftest import Making, Works
from usage.books.shards import SHARDS, journal_key
from usage.drain.drainer import UPKEEP_EVERY
from usage.drain.journal import GROUP, Waiting
from usage.drain.ledger import Ledger

pytestmark = pytest.mark.servers


AT_FIRST_MS = 1_000


def idle_ms(works: Works, one: Waiting) -> int:
    found: list[Any] = works.redis.xpending_range(journal_key(one.shard), GROUP, one.id, one.id, 1)
    return int(found[0]["time_since_delivered"])


def consumers(works: Works) -> set[bytes]:
    return {known["name"] for known in works.redis.xinfo_consumers(journal_key(0), GROUP)}


def test_lines_of_all_shards_become_rows_and_leave_the_journal(works: Works, entries: Making) -> None:
    made = entries(3 * SHARDS)
    works.write(made)
    assert works.drain().rows == len(made)
    assert works.rows() == sorted(entry.id for entry in made)
    assert works.left() == 0


def test_more_lines_than_one_read_takes(works: Works, entries: Making) -> None:
    works.write(entries(SHARDS * 450))
    assert works.drain().rows == SHARDS * 450
    assert works.left() == 0


def test_a_busy_shard_fills_a_batch_alone(works: Works) -> None:
    works.write(make_entry() for _ in range(1_900))
    with closing(works.journal()) as journal:
        journal.join()
        lengths = [len(journal.read(block_ms=None)) for _ in range(3)]
    assert lengths == [800, 800, 300]


def test_a_busy_shard_is_asked_twice(works: Works) -> None:
    works.write(make_entry() for _ in range(300))
    with closing(works.journal()) as journal:
        journal.join()
        before = works.commands("xreadgroup")
        found = journal.read(block_ms=None)
        reads = works.commands("xreadgroup") - before
    assert (len(found), reads) == (300, 3)  # the first of them looked for what the drainer had in hand


def test_a_line_that_comes_twice_is_one_row(works: Works, entries: Making) -> None:
    made = entries(4)
    works.write([*made, *made])
    first = works.drain()
    works.write(made)
    again = works.drain()
    assert (first.rows, first.set_aside) == (4, 0)
    assert (again.rows, again.set_aside) == (0, 0)
    assert len(works.rows()) == 4
    assert works.left() == 0


def test_a_running_drainer_moves_what_comes(works: Works, entries: Making) -> None:
    with works.running(works.drainer()):
        for count in (1, 2, 3):
            works.write(entries(1))
            assert works.eventually_rows(count) == count


def test_a_drainer_that_is_told_to_stop_finishes_what_it_has_in_hand(works: Works, entries: Making) -> None:
    drainer = works.drainer()
    with works.running(drainer):
        works.write(entries(5_000))
        assert eventually(works.rows)
    moved = len(works.rows())
    assert moved + works.left() == 5_000
    assert drainer.rows == moved
    assert works.redis.xpending(journal_key(0), GROUP)["pending"] == 0


def test_lines_of_a_drainer_that_died_are_taken_over(works: Works, entries: Making) -> None:
    works.write(entries(20))
    with closing(works.journal()) as dead:
        dead.join()
        assert len(dead.read()) == 20
    with works.running(works.drainer(journal=works.journal(take_over_after=0))):
        assert works.eventually_rows(20) == 20
        assert eventually(lambda: works.left() == 0)


def test_who_begins_waits_a_second_for_those_who_ended(works: Works, entries: Making) -> None:
    works.write(entries(20))
    with closing(works.journal()) as dead, closing(works.journal()) as follower:
        dead.join()
        in_hand = dead.read()
        assert eventually(lambda: all(idle_ms(works, one) > AT_FIRST_MS for one in in_hand))
        follower.join()
        assert follower.read(block_ms=None) == in_hand


def test_a_drainer_looks_for_dead_ones_every_five_seconds(works: Works, entries: Making) -> None:
    clock = FakeClock()
    looking = works.journal(take_over_after=0, monotonic=clock.monotonic)
    with closing(works.journal()) as dead, closing(looking):
        for journal in (dead, looking):
            journal.join()
        assert looking.read(block_ms=None) == []
        works.write(entries(20))
        in_hand = dead.read()
        assert looking.read(block_ms=None) == []
        clock.advance(5)
        assert looking.read(block_ms=None) == in_hand


def test_lines_of_a_drainer_that_lives_are_left_to_it(works: Works, entries: Making) -> None:
    works.write(entries(20))
    with closing(works.journal()) as alive, closing(works.journal()) as other:
        for journal in (alive, other):
            journal.join()
        in_hand = alive.read()
        assert other.read(block_ms=None) == []
        assert works.drain().rows == len(in_hand) == 20
        alive.finish(in_hand)


def test_drainers_that_are_long_gone_are_forgotten(works: Works, entries: Making) -> None:
    works.write(entries(1))
    with closing(works.journal()) as gone, closing(works.journal()) as holding:
        for journal in (gone, holding):
            journal.join()
        gone.finish(gone.read())
        works.write(entries(1))
        assert len(holding.read()) == 1
        with closing(works.journal(forget_after=0)) as other:
            other.join()
            other.read(block_ms=None)
        known = consumers(works)
        assert gone.drainer.encode() not in known
        assert holding.drainer.encode() in known


def test_months_are_made_at_the_start_and_once_a_day(works: Works, entries: Making) -> None:
    clock, made = FakeClock(), []
    drainer = works.drainer(upkeep=lambda: made.append(clock.now()), monotonic=clock.monotonic)
    drainer.run_once()
    drainer.run_once()
    assert len(made) == 1
    clock.advance(UPKEEP_EVERY - 1)
    drainer.run_once()
    assert len(made) == 1
    with works.running(drainer):
        works.write(entries(1))
        assert works.eventually_rows(1) == 1
        clock.advance(1)
        assert eventually(lambda: len(made) == 2)


def test_lines_go_on_when_months_cannot_be_made(works: Works, entries: Making) -> None:
    clock, tries = FakeClock(), []

    def fail() -> None:
        tries.append(clock.now())
        raise PermissionError("no months for you")

    drainer = works.drainer(upkeep=fail, monotonic=clock.monotonic)
    works.write(entries(3))
    drainer.run_once()
    assert len(works.rows()) == 3
    drainer.run_once()
    assert len(tries) == 1
    clock.advance(3_600)
    drainer.run_once()
    assert len(tries) == 2


def test_a_commit_is_on_the_disk_whatever_the_database_prefers(works: Works) -> None:
    for preferred, kept in (("off", "on"), ("remote_apply", "remote_apply")):
        with closing(Ledger(f"{works.conninfo}?options=-csynchronous_commit%3D{preferred}")) as ledger:
            shown = ledger.open().execute("SHOW synchronous_commit").fetchone()
            assert shown == (kept,)
