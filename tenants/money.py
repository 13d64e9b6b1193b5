"""Money and other scaled figures, exactly: from the text that people write to stored integers, and back."""

from decimal import Decimal, InvalidOperation

NANO = 10**9
"""Nano-dollars in a dollar."""

_LONGEST = 40


def units_of(text: str, scale: int) -> int:
    """The whole units in a written number, a `scale` of which make one; refuses any rounding.

    Raises ValueError with what to say to whoever wrote it.
    """
    text = text.strip().removeprefix("$")
    try:
        number = Decimal(text) if len(text) <= _LONGEST else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.as_tuple().exponent) > _LONGEST:  # type: ignore[arg-type]  # finite: an int
        raise ValueError("Write a number such as 12.50.")
    numerator, denominator = number.as_integer_ratio()
    units, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"At most {len(str(scale)) - 1} digits after the point can be kept exactly.")
    return units


def text_of(units: int, scale: int, *, least_digits: int = 0) -> str:
    """The number that so many units make, with every digit that is not zero and no others."""
    whole, part = divmod(abs(units), scale)
    digits = str(part).zfill(len(str(scale)) - 1).rstrip("0").ljust(least_digits, "0")
    return f"{'-' if units < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def dollars(nano: int) -> str:
    """An amount as people read it: $1,234.50, and every further digit that is not zero."""
    whole, _, digits = text_of(abs(nano), NANO, least_digits=2).partition(".")
    return f"{'-' if nano < 0 else ''}${int(whole):,}.{digits}"
