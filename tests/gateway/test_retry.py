"""How long to wait before a deployment is asked again."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.errors import ProviderError
from gateway.retry import Effort, backoff

EFFORT = Effort(first_wait=0.25, longest_wait=8.0)


@pytest.mark.parametrize(
    ("turn", "longest"), [(-1, 0.25), (0, 0.25), (1, 0.5), (4, 4.0), (5, 8.0), (50, 8.0)]
)
def test_waits_double_up_to_a_limit(turn: int, longest: float) -> None:
    assert backoff(EFFORT, turn, 1.0, ProviderError()) == longest
    assert backoff(EFFORT, turn, 0.0, ProviderError()) == 0.0


@given(st.integers(0, 20), st.floats(0, 1, exclude_max=True), st.floats(0, 3_600))
def test_nobody_is_asked_before_the_time_they_named(turn: int, chance: float, named: float) -> None:
    assert backoff(EFFORT, turn, chance, ProviderError(retry_after=named)) >= named
