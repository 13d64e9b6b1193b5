"""LiteLLM's costs as prices of ours."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from providers.configuration.figures import EACH, TOKENS_PER_LISTED_PRICE, exactly
from providers.cost_map import PricedField, priced_field
from providers.litellm_import.findings import Part

_DEAREST = Decimal(1000)
"""Dollars a token, or a piece: nothing costs more."""


class PriceFigure(Struct, frozen=True, kw_only=True):
    """One price, as our file prints it."""

    part: Part
    of: PricedField
    dollars: Decimal


def prices_take(sources: Iterable[Part], *, spoken: bool) -> tuple[PriceFigure, ...]:
    """The costs that a meter here counts; of two words for one price, the first is taken."""
    found: dict[PricedField, PriceFigure] = {}
    for source in sources:
        for name, part in source.items():
            of = priced_field(name, spoken=spoken)
            if of is None or part.says_nothing:
                continue
            dollars = part.figure()
            if dollars is not None and dollars > _DEAREST:
                part.leave("this is no price")
            elif dollars is not None and of in found:
                part.leave("another field says this price too, and comes first")
            elif dollars is not None:
                found[of] = PriceFigure(part=part, of=of, dollars=_listed(of.meter, dollars))
    return tuple(found.values())


def _listed(meter: str, dollars: Decimal) -> Decimal:
    return dollars if meter in EACH else exactly(dollars, TOKENS_PER_LISTED_PRICE)
