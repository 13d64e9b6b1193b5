"""What usages cost, worked out by hand: pico-dollars a unit, summed, rounded once to nano-dollars."""

from uuid import UUID

import pytest

from gateway.call import Usage
from gateway.pricing import Price, PriceCard, Priced, Terms, allocate, card_at, make_sheet, price_usage
from tests.support.engine import (
    OTHER_TENANT,
    TENANT,
    make_card,
)

PICO = {"input": 150_000, "cache_read": 75_000, "output": 600_000}


def _card(**sheets_and_more: object) -> PriceCard:
    return PriceCard(**{"version": "v1"} | sheets_and_more)  # type: ignore[arg-type]


def _prices(**picos: int) -> dict[str, Price]:
    return {meter: Price(pico=pico, row=row) for row, (meter, pico) in enumerate(picos.items(), start=1)}


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(input=1_000), 150_000),  # 1,000 × 150,000 p
        (Usage(input=1_000, output=1_000), 750_000),
        (Usage(input=900, cache_read=100), 142_500),  # 900 × 150,000 + 100 × 75,000 = 142,500,000 p
        (Usage(output=10, reasoning=90), 60_000),  # reasoning costs as output
        (Usage(cache_write_5m=10, cache_write_1h=10), 3_000),  # both cost as input
        (Usage(audio_in=7, audio_out=3), 2_850),  # 7 × 150,000 + 3 × 600,000
        (Usage(), 0),
    ],
)
def test_a_usage_has_its_price(usage: Usage, nano: int) -> None:
    priced = price_usage(usage, make_card(**PICO), Terms())
    assert (priced.cost_nano, priced.charge_nano) == (nano, nano)
    assert [line.units for line in priced.lines] == [count for count in _counts(usage) if count]


def _counts(usage: Usage) -> list[int]:
    return [getattr(usage, name) for name in usage.__struct_fields__]


def test_a_meter_with_a_price_of_its_own_does_not_take_its_parents() -> None:
    card = make_card(input=1_000, output=2_000, reasoning=5_000, cache_write_5m=1_250, audio_in=9_000)
    usage = Usage(reasoning=2, cache_write_1h=4, audio_in=1)
    priced = price_usage(usage, card, Terms())
    assert priced.cost_nano == 24  # 4 × 1,250 (as five minutes) + 2 × 5,000 + 1 × 9,000 = 24,000 p
    rows = {line.meter: (line.pico, line.price) for line in priced.lines}
    assert rows == {"cache_write_1h": (1_250, 4), "reasoning": (5_000, 3), "audio_in": (9_000, 5)}


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(input=200_000, output=1), 200_000 * 1_000 + 10_000),
        (Usage(input=200_001, output=1), 200_001 * 2_000 + 15_000),
        (Usage(input=1, cache_read=200_000, output=1), 2_000 + 200_000 * 500 + 15_000),
        (Usage(input=1, cache_read=199_999, output=1), 1_000 + 199_999 * 250 + 10_000),
        (Usage(audio_in=200_001), 200_001 * 2_000),
    ],
)
def test_a_context_tier_is_judged_by_the_whole_prompt_and_covers_the_whole_call(
    usage: Usage, nano: int
) -> None:
    normal = make_sheet(_prices(input=1_000_000, cache_read=250_000, output=10_000_000))
    long = make_sheet(_prices(input=2_000_000, cache_read=500_000, output=15_000_000), context_above=200_000)
    assert price_usage(usage, _card(sheets=(long, normal)), Terms()).cost_nano == nano


@pytest.mark.parametrize(("tier", "nano"), [("", 100), ("batch", 50), ("priority", 200), ("unheard of", 100)])
def test_a_service_tier_has_its_own_prices(tier: str, nano: int) -> None:
    sheets = (
        make_sheet(_prices(input=2_000), service_tier="priority"),
        make_sheet(_prices(input=500), service_tier="batch"),
        make_sheet(_prices(input=1_000)),
    )
    assert price_usage(Usage(input=100), _card(sheets=sheets), Terms(), tier).cost_nano == nano


@pytest.mark.parametrize(
    ("bps", "nano"), [(0, 1_000), (1_000, 1_100), (-1_000, 900), (-10_000, 0), (1, 1_000), (100_000, 11_000)]
)
def test_a_mark_up_is_added_before_the_one_rounding(bps: int, nano: int) -> None:
    priced = price_usage(Usage(input=1), make_card(input=1_000_000), Terms(markup_bps=bps))
    assert (priced.cost_nano, priced.charge_nano) == (1_000, nano)


def test_a_fee_comes_once_a_request() -> None:
    card = make_card(input=1_000, request=5_000_000)
    assert price_usage(Usage(input=3), card, Terms()).cost_nano == 5_003
    assert price_usage(Usage(input=3, request=2), card, Terms()).cost_nano == 10_003


def test_sell_prices_take_the_place_of_cost_and_mark_up() -> None:
    card = _card(
        sheets=(make_sheet(_prices(input=1_000)),),
        sell=(make_sheet(_prices(input=3_000)),),
        own_sell={TENANT: (make_sheet(_prices(input=2_000)),)},
    )
    charges = {
        tenant: price_usage(Usage(input=10), card, Terms(tenant_id=tenant, markup_bps=5_000))
        for tenant in (None, TENANT, OTHER_TENANT)
    }
    assert {tenant: one.charge_nano for tenant, one in charges.items()} == {
        None: 30,
        TENANT: 20,
        OTHER_TENANT: 30,
    }
    assert {one.cost_nano for one in charges.values()} == {10}


def test_a_fee_alone_may_be_what_is_sold() -> None:
    card = _card(
        sheets=(make_sheet(_prices(input=1_000)),), sell=(make_sheet(_prices(input=0, request=7_000)),)
    )
    priced = price_usage(Usage(input=10), card, Terms())
    assert (priced.cost_nano, priced.charge_nano) == (10, 7)


@pytest.mark.parametrize(
    ("picos", "nanos"),
    [
        ([500], 0),
        ([1_500], 2),
        ([2_500], 2),
        ([501], 1),
        ([250, 250], 0),
        ([750, 750], 2),
        ([400, 400, 400], 1),
    ],
)
def test_the_sum_is_rounded_half_to_even(picos: list[int], nanos: int) -> None:
    assert sum(allocate(picos, 1_000)) == nanos


def test_the_largest_remainders_carry_the_sum() -> None:
    assert allocate([1_400, 1_700, 1_400], 1_000) == [1, 2, 1]
    assert allocate([1_500, 1_500, 2_000], 1_000) == [2, 1, 2]
    assert allocate([], 1_000) == []


def test_lines_carry_the_rounding_of_their_entry() -> None:
    card = make_card(input=1_400, cache_read=1_700, output=1_400)
    priced = price_usage(Usage(input=1, cache_read=1, output=1), card, Terms(markup_bps=1))
    assert [line.cost_nano for line in priced.lines] == [1, 2, 1]
    assert priced.cost_nano == 4  # 4,500 p is a tie, and 4 is even


def test_an_unpriced_usage_costs_nothing_and_says_so() -> None:
    assert price_usage(Usage(input=5), None, Terms()).lines[0].price == 0
    priced = price_usage(Usage(input=5, image=2), make_card(input=1_000), Terms())
    assert [(line.meter, line.price, line.cost_nano) for line in priced.lines] == [
        ("input", 1, 5),
        ("image", 0, 0),
    ]
    assert price_usage(Usage(), None, Terms()) == Priced()


def test_a_card_is_in_force_from_its_first_moment_to_before_its_last() -> None:
    old = _card(version="old", sheets=(), valid_until_ms=1_000)
    new = _card(version="new", sheets=(), valid_from_ms=1_000, valid_until_ms=2_000)
    found = [card_at((old, new), now) for now in (0, 999, 1_000, 1_999, 2_000)]
    assert [card.version if card else None for card in found] == ["old", "old", "new", "new", None]


def test_another_tenants_prices_are_not_ours() -> None:
    card = _card(
        sheets=(make_sheet(_prices(input=1_000)),), own_sell={OTHER_TENANT: (make_sheet(_prices(input=1)),)}
    )
    priced = price_usage(Usage(input=10), card, Terms(tenant_id=UUID(int=TENANT.int), markup_bps=0))
    assert priced.charge_nano == 10
