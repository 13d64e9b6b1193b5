"""Whatever the prices and the usage: lines add up, and nothing costs more than its bound."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from gateway.call import METERS, Usage
from gateway.pricing import Price, PriceCard, Sheet, Terms, make_sheet, price_usage, worst_charge
from tests.support.engine import (
    TENANT,
)

PROMPT = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_in")
ANSWER = ("output", "reasoning", "audio_out")
TOKENS = (*PROMPT, *ANSWER)

picos = st.integers(0, 200_000_000)
bps = st.integers(-10_000, 20_000)


def _price(pico: int) -> Price:
    return Price(pico=pico, row=1)


@st.composite
def sheets(draw: st.DrawFn, *, base: bool) -> tuple[Sheet, ...]:
    """Sheets from the highest context down; with `base`, one that fits any call."""
    conditions = draw(
        st.sets(st.tuples(st.sampled_from([0, 100, 5_000]), st.sampled_from(["", "batch"])), max_size=4)
    )
    if base:
        conditions.add((0, ""))
    chosen = []
    for context, tier in sorted(conditions, reverse=True):
        prices = draw(st.dictionaries(st.sampled_from((*TOKENS, "request")), picos.map(_price)))
        prices |= {"input": _price(draw(picos)), "output": _price(draw(picos))}
        chosen.append(make_sheet(prices, context_above=context, service_tier=tier))
    return tuple(chosen)


@st.composite
def cards(draw: st.DrawFn) -> PriceCard:
    """A card with cost, perhaps sell prices, perhaps the tenant's own."""
    own: dict[Any, tuple[Sheet, ...]] = {TENANT: draw(sheets(base=True))} if draw(st.booleans()) else {}
    return PriceCard(
        version="v1",
        sheets=draw(sheets(base=True)),
        sell=draw(sheets(base=False)),
        own_sell=own,
    )


usages = st.builds(Usage, **{meter: st.integers(0, 4_000) for meter in METERS})
token_usages = st.builds(Usage, **{meter: st.integers(0, 4_000) for meter in TOKENS})
terms = st.builds(Terms, tenant_id=st.sampled_from([None, TENANT]), markup_bps=bps)
tiers = st.sampled_from(["", "batch", "flex"])


@given(usages, cards(), terms, tiers)
def test_lines_add_up_to_their_entry(usage: Usage, card: PriceCard, terms: Terms, tier: str) -> None:
    priced = price_usage(usage, card, terms, tier)
    assert sum(line.cost_nano for line in priced.lines) == priced.cost_nano
    assert sum(line.charge_nano for line in priced.lines) == priced.charge_nano
    assert priced.charge_nano >= 0
    metered = {line.meter: line.units for line in priced.lines}
    assert {
        meter: getattr(usage, meter) for meter in METERS if getattr(usage, meter)
    }.items() <= metered.items()


@given(token_usages, cards(), terms, tiers, st.integers(0, 500), st.integers(0, 500))
def test_nothing_costs_more_than_the_worst_that_was_held(
    usage: Usage, card: PriceCard, terms: Terms, tier: str, spare_in: int, spare_out: int
) -> None:
    prompt = sum(getattr(usage, meter) for meter in PROMPT) + spare_in
    answer = sum(getattr(usage, meter) for meter in ANSWER) + spare_out
    priced = price_usage(usage, card, terms, tier)
    worst = worst_charge(card, terms, prompt, answer)
    assert priced.charge_nano <= worst
    assert priced.cost_nano <= worst
