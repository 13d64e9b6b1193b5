"""Eight drainers at once: they do not lock each other out, and what they add up to is right."""

from random import Random

import pytest

from gateway.entry import Entry
from tests.support.engine import make_entry
from tests.support.waiting import eventually
from tests.usage.drain.conftest import Works
from usage.books.rows import copy_line
from usage.books.shards import LINE, SHARDS, journal_key

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DRAINERS, COPIES, ENTRIES = 8, 16, 1_500
SUM = "SELECT count(*), sum(charge_nano) FROM usage_ledgerentry"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def write_shuffled(works: Works, made: list[Entry], random: Random) -> None:
    """Each entry several times, in streams of other shards and in an order of its own in each."""
    for copy in range(COPIES):
        random.shuffle(made)
        pipeline = works.redis.pipeline()
        for number, entry in enumerate(made):
            pipeline.xadd(journal_key((number + copy) % SHARDS), {LINE: copy_line(entry)})
        pipeline.execute()


def test_eight_drainers_with_many_duplicates(works: Works) -> None:
    made = [make_entry(number + 1) for number in range(ENTRIES)]
    write_shuffled(works, made, Random(8))
    deadlocks = works.query(DEADLOCKS)
    drainers = [works.drainer() for _ in range(DRAINERS)]
    with works.running(*drainers):
        with works.locked():
            assert eventually(lambda: works.inserting() == DRAINERS)
        assert eventually(lambda: works.left() == 0, within=30)
    assert works.query(SUM) == [(ENTRIES, sum(entry.charge_nano for entry in made))]
    assert sum(drainer.rows for drainer in drainers) == ENTRIES
    for drainer in drainers:
        drainer.close()
    assert works.query(DEADLOCKS) == deadlocks
