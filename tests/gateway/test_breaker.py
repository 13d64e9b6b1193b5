"""A breaker stops calls to what is ill, and finds out when it is well."""

from gateway.breaker import Breaker


def _opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(threshold=3, rest=60)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker(threshold=3)
    for _ in range(2):
        breaker.failed(0)
    breaker.succeeded(0)
    for _ in range(2):
        breaker.failed(0)
    assert breaker.admits(0)
    breaker.failed(0)
    assert breaker.state(0) == "open"
    assert not breaker.admits(59.9)


def test_after_its_rest_one_probe_goes_through() -> None:
    breaker = _opened()
    assert breaker.state(60) == "half_open"
    assert [breaker.admits(60) for _ in range(3)] == [True, False, False]


def test_a_good_probe_closes_it() -> None:
    breaker = _opened()
    assert breaker.admits(60)
    breaker.succeeded(60)
    assert [breaker.admits(60) for _ in range(3)] == [True] * 3


def test_a_call_from_before_it_opened_does_not_close_it() -> None:
    breaker = _opened()
    assert not breaker.succeeded(59.9)
    assert breaker.state(59.9) == "open"
    assert breaker.succeeded(60)


def test_a_bad_probe_makes_it_rest_again() -> None:
    breaker = _opened()
    assert breaker.admits(60)
    breaker.failed(61)
    assert not breaker.admits(120)
    assert breaker.admits(121)


def test_a_probe_that_never_reports_does_not_hold_the_place_for_ever() -> None:
    breaker = _opened()
    assert breaker.admits(60)
    assert not breaker.admits(119)
    assert breaker.admits(120)
