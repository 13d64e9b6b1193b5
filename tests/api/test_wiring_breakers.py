"""Breakers are as the settings say."""

from typing import Any

from api.wiring import make_breaker


def _fails(count: int) -> Any:
    breaker = make_breaker()
    for _ in range(count):
        breaker.failed(0.0)
    return breaker


def test_they_open_after_as_many_failures_and_for_as_long_as_is_set(settings: Any) -> None:
    settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD, settings.CIRCUIT_BREAKER_TIMEOUT = 3, 7
    assert _fails(2).state(0.0) == "closed"
    assert (_fails(3).state(6.9), _fails(3).state(7.0)) == ("open", "half_open")


def test_switched_off_they_never_open_by_themselves(settings: Any) -> None:
    settings.CIRCUIT_BREAKER_ENABLED = False
    assert _fails(1_000).state(0.0) == "closed"
