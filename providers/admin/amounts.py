"""Prices as price lists print them: dollars per million tokens, or per image, request, search, second."""

from providers.models import Price
from tenants.money import text_of

PER_MILLION = 10**6
"""Picodollars a token that make a dollar per million tokens."""

PER_ONE = 10**12
"""Picodollars in a dollar."""

_UNITS = {
    Price.Meter.IMAGE.value: "per image",
    Price.Meter.REQUEST.value: "per request",
    Price.Meter.SEARCH.value: "per search",
    Price.Meter.AUDIO_SECOND.value: "per second of audio",
}


def price_scale(meter: str) -> int:
    """How many picodollars per unit make the one dollar that people write."""
    return PER_ONE if meter in _UNITS else PER_MILLION


def price_unit(meter: str) -> str:
    """What the written dollars are for."""
    return _UNITS.get(meter, "per million tokens")


def price_text(pico: int, meter: str) -> str:
    """A price in words."""
    return f"${text_of(pico, price_scale(meter), least_digits=2)} {price_unit(meter)}"
