"""Which of many prompts points the same way."""

from math import cos, pi, sin
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.caching.nearness import PROMPTS_AT_MOST, Pointer, Space, pointer_of, read_pointer

SIZE = 512
NUMBERS = st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=2, max_size=8)


def pointing(vector: list[float]) -> Pointer:
    pointer = pointer_of(vector)
    assert pointer is not None
    return pointer


@pytest.mark.parametrize("degrees", [0, 1, 18, 60, 90, 180])
def test_nearness_is_the_cosine(degrees: int) -> None:
    space, angle = Space(), degrees / 180 * pi
    space.add("a", pointing([5.0, 0.0]))
    near = space.nearest(pointing([cos(angle) * 3, sin(angle) * 3]))
    assert near is not None
    assert near.cosine == pytest.approx(cos(angle), abs=1e-6)


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [float("inf"), 1.0], [float("nan")]], ids=str)
def test_what_has_no_direction_points_nowhere(vector: list[float]) -> None:
    assert pointer_of(vector) is None


def test_the_same_prompt_is_found_among_many_and_the_nearest_before_others() -> None:
    random, space = Random(7), Space()
    vectors = {f"{number}": [random.gauss(0, 1) for _ in range(SIZE)] for number in range(500)}
    for key, vector in vectors.items():
        space.add(key, pointing(vector))
    for key in ("0", "123", "499"):
        beside = [part + random.gauss(0, 0.05) for part in vectors[key]]
        near = space.nearest(pointing(beside))
        assert near is not None
        assert near.key == key
        assert near.cosine > 0.98


def test_vectors_of_another_length_are_not_compared() -> None:
    space = Space()
    space.add("a", pointing([1.0, 0.0, 0.0]))
    assert space.nearest(pointing([1.0, 0.0])) is None


def test_the_oldest_give_way() -> None:
    space, pointer = Space(), pointing([1.0, 0.0])
    for number in range(PROMPTS_AT_MOST + 1):
        space.add(str(number), pointer)
    assert len(space.pointers) == PROMPTS_AT_MOST
    assert "0" not in space.pointers


@given(NUMBERS)
def test_a_direction_survives_its_bytes(vector: list[float]) -> None:
    pointer = pointer_of(vector)
    assert pointer is None or read_pointer(pointer.parts.tobytes()) == pointer
