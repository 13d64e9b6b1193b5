"""A clock for tests of the engine; the loop's timers go by it too."""

import pytest

from tests.support.clock import FakeClock, rule_loop


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that stands still until it is turned."""
    clock = FakeClock()
    rule_loop(clock, monkeypatch)
    return clock
