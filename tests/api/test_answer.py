"""Numbers in the heads of answers."""

import pytest

from api.answer import format_usd


@pytest.mark.parametrize(
    ("nano", "dollars"),
    [
        (0, "0.000000000"),
        (7, "0.000000007"),
        (999_999_999, "0.999999999"),
        (1_000_000_000, "1.000000000"),
        (12_345_000_000_067, "12345.000000067"),
        (-20, "-0.000000020"),
        (-3_000_000_001, "-3.000000001"),
    ],
)
def test_nano_dollars_are_told_to_the_last_digit(nano: int, dollars: str) -> None:
    assert format_usd(nano) == dollars
