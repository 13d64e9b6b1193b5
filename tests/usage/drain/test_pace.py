"""How lines wait for company, so that a steady trickle does not cost a commit each."""

from contextlib import closing

import pytest

from tests.support.clock import FakeClock
from tests.support.engine import make_entry
from tests.usage.drain.conftest import Works

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("lines", "reads", "rested"),
    [(3, [3, 0], [0.0, 0.1]), (1_900, [800, 800, 300, 0], [0.0, 0.0, 0.0, 0.1])],
    ids=["few wait for company", "enough for a commit wait for nobody"],
)
def test_lines_wait_for_company(works: Works, lines: int, reads: list[int], rested: list[float]) -> None:
    clock, rests = FakeClock(), list[float]()
    works.write(make_entry() for _ in range(lines))
    with closing(works.journal(pace=0.1, monotonic=clock.monotonic, rest=rests.append)) as journal:
        journal.join()
        assert [len(journal.read(block_ms=1)) for _ in reads] == reads
    assert rests == pytest.approx(rested)
