"""Whatever the prices and the usage: lines add up, and nothing costs more than its bound."""

from typing import Any, get_args

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from gateway.call import METERS, Kind, Usage
from gateway.pricing import Price, PriceCard, Sheet, Terms, make_sheet, price_usage
from gateway.worst import worst_charge
from tests.support.engine import (
    TENANT,
    make_card,
)

PROMPT = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_in", "image_in")
ANSWER = ("output", "reasoning", "audio_out", "image_out")
PIECES = ("image", "search", "audio_second")
LISTED = (*PROMPT, *ANSWER, *PIECES)

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
        prices = draw(st.dictionaries(st.sampled_from((*LISTED, "request")), picos.map(_price)))
        if base:
            prices |= {"input": _price(draw(picos)), "output": _price(draw(picos))}
        chosen.append(make_sheet(prices, context_above=context, service_tier=tier))
    return tuple(chosen)


@st.composite
def cards(draw: st.DrawFn) -> PriceCard:
    """A card with cost, perhaps sell prices, perhaps the tenant's own."""
    own: dict[Any, tuple[Sheet, ...]] = {TENANT: draw(sheets(base=False))} if draw(st.booleans()) else {}
    return PriceCard(
        version="v1",
        sheets=draw(sheets(base=True)),
        sell=draw(sheets(base=False)),
        own_sell=own,
    )


usages = st.builds(Usage, **{meter: st.integers(0, 4_000) for meter in METERS})
KNOWN = (*LISTED, "unknown_in", "unknown_out", "unknown")
bounded_usages = st.builds(Usage, **{meter: st.integers(0, 4_000) for meter in KNOWN})
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


@given(bounded_usages, cards(), terms, tiers, st.integers(0, 500), st.integers(0, 500))
def test_nothing_costs_more_than_the_worst_that_was_held(
    usage: Usage, card: PriceCard, terms: Terms, tier: str, spare_in: int, spare_out: int
) -> None:
    prompt, answer = usage.prompt_tokens + spare_in, usage.tokens - usage.prompt_tokens + spare_out
    pieces = {meter: getattr(usage, meter) for meter in PIECES if getattr(usage, meter)}
    priced = price_usage(usage, card, terms, tier)
    asked = (None, tier) if tier else (None,)
    for worst in (worst_charge(card, terms, prompt, answer, besides=pieces, tier=one) for one in asked):
        assert worst is not None
        assert priced.charge_nano <= worst
        assert priced.cost_nano <= worst


@given(bounded_usages, cards(), terms)
def test_the_normal_class_is_bounded_by_its_own_prices(usage: Usage, card: PriceCard, terms: Terms) -> None:
    usage = replace(usage, image=0, search=0, audio_second=0)
    worst = worst_charge(card, terms, usage.prompt_tokens, usage.tokens - usage.prompt_tokens, tier="default")
    assert worst is not None
    assert price_usage(usage, card, terms, "default").charge_nano <= worst


def test_what_costs_nothing_may_be_without_an_end() -> None:
    local, prompts = make_card(input=0, output=0), make_card(input=1_000_000, output=0)
    assert worst_charge(local, Terms(), None, None) == 0
    assert worst_charge(prompts, Terms(), 10, None) == 10_000
    assert worst_charge(prompts, Terms(), None, 10) is None


def test_a_prompt_without_an_end_is_above_every_context() -> None:
    long = make_sheet({"input": _price(0), "output": _price(9_000_000)}, context_above=100)
    short = make_sheet({"input": _price(0), "output": _price(2_000_000)})
    card = PriceCard(version="v1", sheets=(long, short))
    assert worst_charge(card, Terms(), None, 10) == 90_000
    assert worst_charge(card, Terms(), 100, 10) == 20_000


def test_where_no_price_applies_nothing_is_held() -> None:
    batch = make_sheet({"input": _price(1_000_000)}, service_tier="batch")
    assert worst_charge(PriceCard(version="v1", sheets=(batch,)), Terms(), 10, 10, tier="default") == 0


def test_each_meter_is_held_at_the_dearest_that_it_may_be_charged_by() -> None:
    cost = make_sheet({"input": _price(1_000_000), "output": _price(9_000_000)})
    sell = make_sheet({"input": _price(5_000_000)})
    card = PriceCard(version="v1", sheets=(cost,), sell=(sell,))
    assert worst_charge(card, Terms(markup_bps=1_000), 10, 10) == 10 * 5_000 + 10 * 9_900


@pytest.mark.parametrize(
    ("tier", "nano"), [(None, 2_000), ("priority", 2_000), ("default", 1_000), ("flex", 1_000)]
)
def test_a_class_of_service_is_held_unless_the_call_names_another(tier: str | None, nano: int) -> None:
    dear = make_sheet({"input": _price(2_000_000), "output": _price(0)}, service_tier="priority")
    plain = make_sheet({"input": _price(1_000_000), "output": _price(0)})
    cheap = make_sheet({"input": _price(500_000), "output": _price(0)}, service_tier="flex")
    card = PriceCard(version="v1", sheets=(dear, cheap, plain))
    assert worst_charge(card, Terms(), 1, 0, tier=tier) == nano


OF_TEXT = {"embedding", "moderation", "rerank", "transcription"}


@pytest.mark.parametrize(
    ("meters", "kinds"),
    [
        (["input", "output"], {"chat", "speech", *OF_TEXT}),
        (["input", "output", "search"], {"chat", "search", "speech", *OF_TEXT}),
        (["input"], OF_TEXT),
        (["output"], {"speech"}),
        (["image"], {"image"}),
        (["image_out"], {"image"}),
        (["audio_second"], {"speech", "transcription"}),
        (["request"], {"rerank"}),
        ([], set()),
    ],
)
def test_a_kind_of_call_has_a_price_if_all_that_it_needs_has_one(meters: list[str], kinds: set[str]) -> None:
    card = PriceCard(version="v1", sheets=(make_sheet(dict.fromkeys(meters, _price(0))),))
    assert {kind for kind in (*get_args(Kind), "search") if card.prices(kind)} == kinds


def test_a_price_under_conditions_alone_is_none() -> None:
    prices = {"input": _price(1), "output": _price(1)}
    for conditions in ({"service_tier": "batch"}, {"context_above": 100}):
        card = PriceCard(version="v1", sheets=(make_sheet(prices, **conditions),))
        assert not card.prices("chat")
