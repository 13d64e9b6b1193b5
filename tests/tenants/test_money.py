"""Figures between people and tables, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.money import dollars, text_of, units_of

NANO = 10**9


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0", 0),
        ("12.5", 12_500_000_000),
        (" $0.000000001 ", 1),
        ("9007199.254740992", 2**53),
        ("1e3", 10**12),
        ("-0.5", -500_000_000),
        ("123456789012345678901234567890", 123456789012345678901234567890 * NANO),
    ],
)
def test_what_is_written_is_kept_exactly(text: str, units: int) -> None:
    assert units_of(text, NANO) == units


@pytest.mark.parametrize(
    "text", ["", "ten", "1,000", "NaN", "Infinity", "1e999999999", "1e-999999999", "1" * 41]
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write a number"):
        units_of(text, NANO)


def test_what_would_be_rounded_is_refused() -> None:
    with pytest.raises(ValueError, match="At most 9 digits"):
        units_of("0.0000000001", NANO)


@given(st.integers(min_value=-(2**63), max_value=2**63), st.sampled_from([100, 10**6, NANO, 10**12]))
def test_every_figure_comes_back_as_it_went(units: int, scale: int) -> None:
    assert units_of(text_of(units, scale), scale) == units


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (NANO // 2, "$0.50"),
        (1_234_500_000_000, "$1,234.50"),
        (-226_200, "-$0.0002262"),
    ],
)
def test_dollars_show_every_digit_that_is_not_zero(nano: int, text: str) -> None:
    assert dollars(nano) == text
