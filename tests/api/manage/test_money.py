"""Budgets, limits and prices: written in dollars or in integers, kept in integers, told in both."""

from datetime import timedelta

import pytest
from django.utils import timezone

from providers.models import Price
from tenants.models import Budget, Tenant
from tests import factories
from tests.api.manage.hands import Hand, operator

pytestmark = pytest.mark.usefixtures("each_database")

PRICE = {"model": "gpt-4o-mini", "meter": "input"}


@pytest.fixture
def hand() -> Hand:
    factories.make_tenant()
    factories.make_provider()
    return operator()


def test_a_budget_is_exact_to_the_nano_dollar(hand: Hand) -> None:
    for window, given, nano, usd in (
        ("day", {"amount_usd": "100"}, 100 * 10**9, "100.00"),
        ("week", {"amount_usd": 0.000000001}, 1, "0.000000001"),
        ("month", {"amount_nano": 2**53}, 2**53, "9007199.254740992"),
        ("total", {"amount_usd": "1.50", "amount_nano": 1_500_000_000}, 1_500_000_000, "1.50"),
    ):
        told = hand.post("budgets", tenant="acme", window=window, **given)
        assert (told["amount_nano"], told["amount_usd"]) == (nano, usd)
        assert Budget.objects.get(pk=told["id"]).amount_nano == nano


def test_an_amount_that_cannot_be_kept_is_refused(hand: Hand) -> None:
    for given, field in (
        ({}, "amount_usd"),
        ({"amount_usd": "0.0000000001"}, "amount_usd"),
        ({"amount_usd": "1", "amount_nano": 1}, "amount_usd"),
        ({"amount_usd": True}, "amount_usd"),
        ({"amount_usd": None}, "amount_usd"),
        ({"amount_usd": "1e999999999"}, "amount_usd"),
        ({"amount_usd": "0"}, "amount_nano"),
        ({"amount_usd": "-1"}, "amount_nano"),
        ({"amount_nano": 2**53 + 1}, "amount_nano"),
        ({"amount_nano": 10**30}, "amount_nano"),
        ({"amount_nano": 1.5}, "amount_nano"),
    ):
        assert field in hand.refused("POST", "budgets", {"tenant": "acme", **given})["fields"], given
    assert not Budget.objects.exists()


def test_a_budget_is_changed_and_removed(hand: Hand) -> None:
    told = hand.post("budgets", tenant="acme", amount_usd="5")
    assert hand.patch(f"budgets/{told['id']}", hard=False)["amount_usd"] == "5.00"
    assert hand.patch(f"budgets/{told['id']}", amount_usd="7.25")["amount_nano"] == 7_250_000_000
    assert hand.ask("DELETE", f"budgets/{told['id']}").status_code == 204
    assert hand.get("budgets")["data"] == []


def test_a_bound_hangs_on_one_owner_and_once(hand: Hand) -> None:
    factories.make_project(Tenant.objects.get())
    limit = {"amount": 5, "unit": "requests", "window": "minute"}
    assert hand.post("limits", project="acme/search", **limit)["project"] == "acme/search"
    for owners in ({}, {"tenant": "acme", "project": "acme/search"}):
        assert "exactly one" in hand.refused("POST", "limits", {**limit, **owners})["fields"]["body"][0]
    hand.refused("POST", "limits", {"project": "acme/search", **limit})
    for wrong in (
        {"window": ""},
        {"unit": "concurrency"},
        {"burst_calls": 1},
        {"amount": -1},
        {"unit": "calls"},
    ):
        hand.refused("POST", "limits", {**limit, "tenant": "acme", **wrong})
    assert len(hand.get("limits")["data"]) == 1


def test_prices_are_told_as_price_lists_print_them(hand: Hand) -> None:
    for meter, usd, pico, unit in (
        ("input", "0.15", 150_000, "per million tokens"),
        ("cache_read", "0.01875", 18_750, "per million tokens"),
        ("image", "0.04", 40_000_000_000, "per image"),
        ("audio_second", "0.0001", 100_000_000, "per second of audio"),
    ):
        told = hand.post("prices", provider="echo", model="gpt-4o-mini", meter=meter, usd=usd)
        assert (told["pico_per_unit"], told["usd"], told["unit"]) == (pico, usd, unit)
    by_pico = hand.post("prices", model="other", meter="output", pico_per_unit=600_000)
    assert (by_pico["usd"], by_pico["provider"], by_pico["side"]) == ("0.60", None, "cost")


def test_a_price_is_superseded_and_never_edited(hand: Hand) -> None:
    first = hand.post("prices", usd="0.15", **PRICE)
    again = hand.ask("POST", "prices", {"usd": 0.15, **PRICE})
    assert (again.status_code, again.json()) == (200, first)
    second = hand.post("prices", usd="0.20", **PRICE)
    ended = hand.get(f"prices/{first['id']}")
    assert (ended["usd"], ended["valid_until"]) == ("0.15", second["valid_from"])
    for method in ("PATCH", "PUT", "DELETE"):
        hand.refused(method, f"prices/{first['id']}", {"usd": "9"}, status=405)
    assert [row["usd"] for row in hand.get("prices?model=gpt-4o-mini&meter=input")["data"]] == [
        "0.15",
        "0.20",
    ]


def test_a_price_ends_once_and_without_a_successor(hand: Hand) -> None:
    price = hand.post("prices", usd="0.15", **PRICE)
    assert hand.post(f"prices/{price['id']}/end")["valid_until"] is not None
    hand.refused("POST", f"prices/{price['id']}/end", {}, status=409)
    hand.refused("POST", f"prices/{price['id']}/end", {"at": "now"})


def test_what_the_book_refuses_is_said_by_field(hand: Hand) -> None:
    later = (timezone.now() + timedelta(days=9)).isoformat()
    hand.post("prices", usd="0.15", valid_from=later, **PRICE)
    past = (timezone.now() - timedelta(days=1)).isoformat()
    for given, field in (
        ({}, "usd"),
        ({"usd": "0.0000001"}, "usd"),
        ({"usd": "0.15", "pico_per_unit": 1}, "usd"),
        ({"usd": "-1"}, "pico_per_unit"),
        ({"usd": "99999999999999"}, "pico_per_unit"),
        ({"usd": "1", "valid_from": past}, "valid_from"),
        ({"usd": "1", "valid_until": later}, "valid_until"),
        ({"usd": "1", "meter": "words"}, "meter"),
        ({"usd": "1", "provider": "nobody"}, "provider"),
        ({"usd": "1", "model": "a b"}, "model"),
    ):
        error = hand.refused("POST", "prices", {**PRICE, **given})
        assert field in error["fields"], (given, error)
    assert Price.objects.count() == 1
