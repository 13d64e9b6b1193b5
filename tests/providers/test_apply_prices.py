"""Prices of a file reach the book exactly, and a change closes one row and opens the next."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from providers.configuration.figures import EACH, dollars_of, pico_of
from providers.configuration.plan import Action
from providers.models import Price
from tests import factories
from tests.support.configuration import apply, problems_of, steps

pytestmark = pytest.mark.django_db

ONE = "providers: {echo: {wire: echo}}\nprices: [{provider: echo, model: m, input: FIGURE}]"


def pico(**wanted: object) -> int:
    return Price.objects.get(valid_until=None, **wanted).pico_per_unit


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("0.15", 150_000),
        ('"0.15"', 150_000),
        ("2", 2_000_000),
        ("0.01875", 18_750),
        ("1e-6", 1),
        ("0.1", 100_000),
        ("1_000.5", 1_000_500_000),
        ("0", 0),
    ],
)
def test_a_figure_is_exact_however_it_is_written(figure: str, expected: int) -> None:
    plan = apply(ONE.replace("FIGURE", figure))
    assert pico() == expected
    assert plan.notes == []


@pytest.mark.parametrize(
    ("figure", "expected"), [("0.0000005", 0), ("0.0000015", 2), ("0.1234567", 123_457), ("0.0000025", 2)]
)
def test_a_figure_that_is_not_whole_is_rounded_half_even_and_told(figure: str, expected: int) -> None:
    plan = apply(ONE.replace("FIGURE", figure))
    assert pico() == expected
    assert [note.partition(":")[0] for note in plan.notes] == ["prices[0].input"]


@given(st.sampled_from(Price.Meter.values), st.integers(min_value=0, max_value=10**18))
def test_a_price_printed_reads_back_as_itself(meter: str, price: int) -> None:
    assert pico_of(meter=meter, dollars=dollars_of(meter=meter, pico=price)) == price


def test_tokens_are_priced_by_the_million_and_all_else_by_the_piece() -> None:
    listed = ", ".join(f"{meter}: 0.5" for meter in Price.Meter.values)
    apply(f"prices: [{{model: m, {listed}}}]")
    by_meter = dict(Price.objects.values_list("meter", "pico_per_unit"))
    assert by_meter == {meter: 500_000_000_000 if meter in EACH else 500_000 for meter in Price.Meter.values}
    assert {"image", "request", "search", "audio_second"} == EACH


def test_conditions_tenants_and_sides_tell_prices_apart() -> None:
    apply("""
        tenants: {acme: {}}
        prices:
          - {model: m, input: 1}
          - {model: m, input: 2, when: {context_above: 200000}}
          - {model: m, input: 3, when: {service_tier: batch, region: eu}}
          - {model: m, input: 4, side: sell}
          - {model: m, input: 5, side: sell, tenant: acme}
        """)
    assert pico(context_above=200_000) == 2_000_000
    assert pico(service_tier="batch", region="eu") == 3_000_000
    assert pico(side="sell", tenant=None) == 4_000_000
    assert pico(side="sell", tenant__name="acme") == 5_000_000
    assert pico(side="cost", service_tier="", context_above=None) == 1_000_000


def test_a_changed_price_supersedes_the_first() -> None:
    apply(ONE.replace("FIGURE", "0.15"))
    plan = apply(ONE.replace("FIGURE", "0.20"))
    assert [str(step) for step in plan.steps if step.action is Action.CHANGED] == [
        "changed   price of echo/m input: $0.15 per million → $0.2 per million"
    ]
    old, new = Price.objects.order_by("id")
    assert old.valid_until == new.valid_from
    assert (old.pico_per_unit, new.pico_per_unit) == (150_000, 200_000)


def test_prices_are_kept_where_the_file_lists_none() -> None:
    apply(ONE.replace("FIGURE", "0.15"))
    assert "price of echo/m input" not in steps(apply("providers: {echo: {}}", prune=True), Action.REMOVED)
    assert "price of echo/m input" in steps(apply("prices: []"), Action.KEPT)


def test_a_cost_per_token_is_a_price_of_every_model() -> None:
    apply("providers: {echo: {wire: echo, cost_per_token: 0.000015}}")
    rows = Price.objects.values_list("provider__name", "model", "meter", "pico_per_unit")
    assert set(rows) == {("echo", "*", "input", 15_000_000), ("echo", "*", "output", 15_000_000)}
    assert problems_of("""
        providers: {echo: {wire: echo, cost_per_token: 0.1}}
        prices: [{provider: echo, model: "*", input: 1}]
        """) == ["prices[0].input: the price of echo/* input stands at providers.echo.cost_per_token too"]


def test_a_price_is_not_changed_before_a_change_that_is_planned() -> None:
    factories.make_price(model="m", valid_from=timezone.now() + timedelta(days=1))
    assert "is planned already" in problems_of("prices: [{model: m, input: 7}]")[0]


def test_a_price_that_ends_later_still_holds() -> None:
    factories.make_price(model="m", valid_until=timezone.now() + timedelta(days=1))
    assert not apply("prices: [{model: m, input: 0.15}]").changes
    assert "is planned already" in problems_of("prices: [{model: m, input: 7}]")[0]


def test_a_price_too_large_for_the_book_is_refused() -> None:
    figure = Decimal(2**63) / 10**6
    assert problems_of(f"prices: [{{model: m, input: {figure}}}]") == [
        f"prices[0].input: {figure} is not a price"
    ]
