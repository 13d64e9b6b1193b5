"""What a process notes of its deployments, and how little of it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.vitals import Pace, Reading, Vitals
from tests.support.engine import make_deployment

ONE, OTHER = make_deployment("one"), make_deployment("other")


def test_nothing_is_known_of_whom_nobody_called() -> None:
    vitals = Vitals()
    assert vitals.look(ONE, stream=False) == Reading()
    assert vitals.mostly_within(ONE, stream=False) is None
    assert len(vitals) == 0


def test_calls_are_in_flight_from_their_start_to_their_end() -> None:
    vitals = Vitals()
    started = [vitals.note_start(ONE) for _ in range(3)]
    started[0].note_end(1.0, stream=False)
    assert vitals.look(ONE, stream=False).in_flight == vitals.look(ONE, stream=True).in_flight == 2
    assert vitals.look(OTHER, stream=False).in_flight == 0


def test_streams_and_whole_answers_are_told_apart() -> None:
    vitals = Vitals()
    vital = vitals.note_start(ONE)
    vital.note_first_byte(0.2, stream=True)
    vital.note_end(4.0, stream=True)
    assert vitals.look(ONE, stream=True) == Reading(first_byte=0.2, total=4.0)
    assert vitals.look(ONE, stream=False) == Reading()


def test_what_was_seen_last_counts_most() -> None:
    vital = Vitals().note_start(ONE)
    for seconds in (1.0, 2.0, 2.0):
        vital.note_first_byte(seconds, stream=False)
    assert vital.whole.first_byte == pytest.approx(1.36)


def test_failures_are_counted_until_an_answer_comes() -> None:
    vitals = Vitals()
    for _ in range(2):
        vitals.note_start(ONE).note_end(None, stream=False, missed=True)
    vitals.note_start(ONE).note_end(None, stream=False)  # its caller left
    assert vitals.look(ONE, stream=True).misses == 2
    vitals.note_start(ONE).note_first_byte(0.1, stream=False)
    assert vitals.look(ONE, stream=True).misses == 0


def test_a_star_may_stand_for_many_models_each_with_its_own() -> None:
    vitals = Vitals()
    vitals.note_start(make_deployment(id=ONE.id, upstream="a"))
    assert vitals.look(make_deployment(id=ONE.id, upstream="b"), stream=False).in_flight == 0


def test_they_are_bounded_and_those_in_use_are_kept() -> None:
    vitals = Vitals(most=10)
    busy = make_deployment(id=ONE.id, upstream="busy")
    vitals.note_start(busy)
    for number in range(1_000):
        vital = vitals.note_start(make_deployment(id=ONE.id, upstream=f"m{number}"))
        vital.note_end(0.1, stream=False)
    assert len(vitals) <= 10
    assert vitals.look(busy, stream=False).in_flight == 1


def test_little_says_nothing_of_most() -> None:
    pace = Pace()
    for _ in range(19):
        pace.note_first_byte(1.0)
    assert pace.mostly_within is None
    pace.note_first_byte(1.0)
    assert pace.mostly_within is not None


@given(some.integers(20, 5_000), some.floats(0.002, 30.0), some.integers(0, 1_000))
def test_most_come_within_a_fifth_more_than_the_95th_of_a_hundred(
    count: int, median: float, seed: int
) -> None:
    random, pace = Random(seed), Pace()
    seen = [min(median * random.lognormvariate(0, 0.5), 60.0) for _ in range(count)]
    for seconds in seen:
        pace.note_first_byte(seconds)
    within = pace.mostly_within
    assert within is not None
    share = sum(seconds <= within for seconds in seen) / count
    assert share >= 0.93
    assert within <= max(0.0012, sorted(seen)[min(count - 1, int(count * 0.975))] * 1.2)


def test_what_was_long_ago_is_outweighed() -> None:
    pace = Pace()
    for _ in range(5_000):
        pace.note_first_byte(0.01)
    for _ in range(200):
        pace.note_first_byte(2.0)
    assert pace.mostly_within == pytest.approx(2.0, rel=0.2)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 1e9])
def test_odd_times_have_a_place_too(seconds: float) -> None:
    pace = Pace()
    for _ in range(20):
        pace.note_first_byte(seconds)
    assert pace.mostly_within is not None
