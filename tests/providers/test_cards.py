"""Rows of the price book become the cards that calls are priced with."""

from typing import Any
from uuid import UUID

import pytest

from gateway.call import Usage
from gateway.pricing import PriceCard, Terms, card_at, price_usage
from providers.cards import PriceRow, build_cards

OPENAI, AZURE = UUID(int=1), UUID(int=2)
ACME, OTHER = UUID(int=3), UUID(int=4)
NOW = 1_767_225_600_000
HOUR = 3_600_000


def _row(row: int, pico: int, **fields: Any) -> PriceRow:
    anything = {"provider_id": None, "model": "*", "tenant_id": None, "side": "cost", "meter": "input"}
    always = {
        "context_above": 0,
        "service_tier": "",
        "region": "",
        "valid_from_ms": 0,
        "valid_until_ms": None,
    }
    return PriceRow(**{"row": row, "pico": pico} | anything | always | fields)  # type: ignore[arg-type]


def _cards(*rows: PriceRow, model: str = "gpt-4o", region: str = "eu") -> tuple[PriceCard, ...]:
    return build_cards(rows, provider_id=OPENAI, model=model, region=region, now_ms=NOW)


def _chosen(*rows: PriceRow, usage: Usage | None = None, tier: str = "", at: int = NOW, **model: str) -> int:
    """The number of the row that a call is priced by."""
    card = card_at(_cards(*rows, **model), at)
    return price_usage(usage or Usage(input=1), card, Terms(), tier).lines[0].price


@pytest.mark.parametrize(
    ("particular", "general"),
    [
        ({"provider_id": OPENAI}, {}),
        ({"provider_id": OPENAI, "model": "*"}, {"model": "gpt-4o"}),
        ({"model": "gpt-4o"}, {"model": "gpt-*"}),
        ({"model": "gpt-4*"}, {"model": "gpt-*"}),
        ({"region": "eu"}, {}),
        ({"model": "gpt-4o"}, {"region": "eu"}),
    ],
)
def test_the_most_particular_row_counts(particular: dict[str, Any], general: dict[str, Any]) -> None:
    rows = [_row(1, 10, **particular), _row(2, 20, **general)]
    assert _chosen(*rows) == _chosen(*reversed(rows)) == 1


@pytest.mark.parametrize(
    "other",
    [{"provider_id": AZURE}, {"model": "gpt-4"}, {"model": "gpt-4o-*"}, {"region": "us"}, {"region": "e"}],
)
def test_a_row_for_something_else_does_not_count(other: dict[str, Any]) -> None:
    assert _cards(_row(1, 10, **other)) == ()
    assert _chosen(_row(1, 10, **other), _row(2, 20)) == 2


def test_a_star_covers_what_it_stands_for() -> None:
    rows = [_row(1, 10, model="gpt-*"), _row(2, 20, model="*-mini"), _row(3, 30, model="llama")]
    assert [_chosen(*rows, model=model) for model in ("gpt-4o", "o3-mini", "llama")] == [1, 2, 3]


def test_a_future_price_takes_over_at_its_moment() -> None:
    change = NOW + HOUR
    cards = _cards(_row(1, 10, valid_until_ms=change), _row(2, 20, valid_from_ms=change))
    found = {
        at: price_usage(Usage(input=1_000), card_at(cards, at), Terms()) for at in (0, change - 1, change)
    }
    assert [priced.cost_nano for priced in found.values()] == [10, 10, 20]
    assert [priced.lines[0].price for priced in found.values()] == [1, 1, 2]


def test_a_gap_between_prices_is_unpriced() -> None:
    cards = _cards(_row(1, 10, valid_until_ms=NOW + HOUR), _row(2, 20, valid_from_ms=NOW + 2 * HOUR))
    assert card_at(cards, NOW + HOUR - 1) is not None
    assert card_at(cards, NOW + HOUR) is None
    assert card_at(cards, NOW + 2 * HOUR) is not None


def test_what_is_over_is_left_out() -> None:
    assert _cards(_row(1, 10, valid_until_ms=NOW)) == ()
    assert _cards(_row(1, 10, valid_from_ms=NOW + HOUR, valid_until_ms=NOW + HOUR)) == ()


def test_the_version_names_its_rows() -> None:
    def version(*rows: PriceRow) -> str:
        return _cards(*rows)[0].version

    one, two = _row(1, 10), _row(2, 10, meter="output")
    assert version(one, two) == version(two, one)
    assert len({version(one), version(one, two), version(two)}) == 3
    assert version(one, _row(9, 1, model="llama")) == version(one)


def test_context_tiers_stand_from_the_highest_down_and_keep_what_they_do_not_change() -> None:
    rows = [
        _row(1, 10),
        _row(2, 50, meter="output"),
        _row(3, 20, context_above=200_000),
        _row(4, 40, context_above=1_000_000),
    ]
    (card,) = _cards(*rows)
    assert [sheet.context_above for sheet in card.sheets] == [1_000_000, 200_000, 0]
    prompts = (200_000, 200_001, 1_000_001)
    assert [_chosen(*rows, usage=Usage(input=prompt)) for prompt in prompts] == [1, 3, 4]
    priced = price_usage(Usage(input=200_001, output=1_000), card, Terms())
    assert [line.price for line in priced.lines] == [3, 2]


def test_a_service_tier_falls_back_to_the_normal_class_meter_by_meter() -> None:
    rows = [_row(1, 10), _row(2, 50, meter="output"), _row(3, 5, service_tier="batch")]
    priced = price_usage(Usage(input=1, output=1), _cards(*rows)[0], Terms(), "batch")
    assert [line.price for line in priced.lines] == [3, 2]
    assert _chosen(*rows, tier="flex") == 1


def test_a_meter_without_a_row_takes_its_parents() -> None:
    rows = [_row(1, 10), _row(2, 50, meter="output")]
    usage = Usage(cache_read=1, cache_write_1h=1, reasoning=1, audio_out=1)
    assert [line.price for line in price_usage(usage, _cards(*rows)[0], Terms()).lines] == [1, 1, 2, 2]


def test_a_tenants_sell_rows_are_theirs_alone() -> None:
    rows = [
        _row(1, 10_000),
        _row(2, 30_000, side="sell"),
        _row(3, 20_000, side="sell", tenant_id=ACME),
    ]
    (card,) = _cards(*rows)
    charges = [
        price_usage(Usage(input=1), card, Terms(tenant_id=who)).charge_nano for who in (None, ACME, OTHER)
    ]
    assert charges == [30, 20, 30]
    assert price_usage(Usage(input=1), card, Terms(tenant_id=ACME)).cost_nano == 10


def test_what_a_tenants_own_prices_leave_open_everyones_say_and_then_the_cost() -> None:
    rows = [
        _row(1, 10_000),
        _row(2, 50_000, meter="output"),
        _row(3, 7_000_000, meter="search"),
        _row(4, 30_000, side="sell"),
        _row(5, 90_000, side="sell", meter="output"),
        _row(6, 60_000, side="sell", meter="output", tenant_id=ACME),
        _row(7, 80_000, side="sell", meter="output", service_tier="batch"),
    ]
    (card,) = _cards(*rows)
    terms = Terms(tenant_id=ACME, markup_bps=1_000)
    for tier in ("", "batch"):
        priced = price_usage(Usage(input=1, output=1, search=1), card, terms, tier)
        assert [line.charge_nano for line in priced.lines] == [30, 60, 7_700]


def test_without_a_cost_there_is_no_card() -> None:
    assert _cards(_row(1, 10, side="sell")) == ()
