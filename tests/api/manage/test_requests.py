"""Why the calls of a request id were refused or routed so, as far as whoever asks may know."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest

from api.manage import requests
from gateway.ids import moment_of, uuid7
from gateway.reasons import Reasons, Testimony
from tenants.models import Tenant
from tests import factories
from tests.api.manage.hands import key_hand, member, operator
from tests.support.engine import make_reasons
from usage import entries

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


class Known:
    """What processes know, in their place."""

    def __init__(self, *found: Reasons, is_whole: bool = True) -> None:
        self.found = found
        self.is_whole = is_whole

    def __call__(self, _: Any, name: str, tenants: Collection[UUID] | None) -> Testimony:
        chosen = (one for one in self.found if tenants is None or one.tenant_id in tenants)
        return Testimony(found=tuple(one for one in chosen if one.request_id == name), is_whole=self.is_whole)


def knowing(monkeypatch: pytest.MonkeyPatch, *found: Reasons, is_whole: bool = True) -> None:
    monkeypatch.setattr(requests, "_testimony", Known(*found, is_whole=is_whole))


def test_what_is_known_stands_beside_the_entry(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    booked = factories.make_entry(acme, request_id="req/1", charge_nano=5_000)
    reasons = make_reasons(
        "req/1",
        acme.pk,
        call_id=booked.pk,
        model="gpt-4o-mini",
        status=200,
        candidates=("a/m", "b/m"),
        notes=(("skipped", "a/m", "breaker_open"),),
        waited_ms=20,
        position=2,
    )
    later = uuid7(moment_of(booked.pk) + 1)
    refused = make_reasons("req/1", acme.pk, call_id=later, status=429, code="rate_limited")
    knowing(monkeypatch, reasons, refused)
    told = operator().get("requests/req/1")
    assert (told["request_id"], told["kept_for"], told["is_whole"]) == ("req/1", 3600, True)
    first, second = told["calls"]  # the newest first
    assert (first["code"], first["status"], first["entry"]) == ("rate_limited", 429, None)
    assert second["decisions"] == [{"what": "skipped", "where": "a/m", "why": "breaker_open"}]
    assert (second["candidates"], second["waited_ms"], second["position"]) == (["a/m", "b/m"], 20, 2)
    assert (second["entry"]["charge_nano"], second["entry"]["id"]) == (5_000, str(booked.pk))


def test_an_entry_is_told_where_nothing_else_is_known(acme: Tenant) -> None:
    booked = factories.make_entry(acme, request_id="old")
    told = operator().get("requests/old")
    (call,) = told["calls"]
    assert (call["id"], call["is_kept"], call["decisions"]) == (str(booked.pk), False, [])
    assert (call["status"], call["tenant"]) == (None, "acme")
    assert told["is_whole"] is False  # no gateway runs in this process


@pytest.mark.parametrize("name", ["unknown", "has%20spaces", "has%00nul", "x" * 200])
def test_what_nobody_knows_is_404_and_says_how_long_it_would_be_kept(name: str) -> None:
    error = operator().refused("GET", f"requests/{name}", status=404)
    assert error["code"] == "not_found"
    assert "60 minutes" in error["message"]


def test_the_same_id_of_two_tenants_is_told_to_each_its_own(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = factories.make_tenant("other")
    for tenant in (acme, other):
        factories.make_entry(tenant, request_id="same")
    knowing(monkeypatch, *(make_reasons("same", one.pk, tenant=one.name) for one in (acme, other)))
    assert len(operator().get("requests/same")["calls"]) == 4
    for hand in (member("bob", acme, "viewer"), key_hand("operator", tenants=(acme,))):
        assert {call["tenant"] for call in hand.get("requests/same")["calls"]} == {"acme"}
    narrowed = operator().get("requests/same", X_Tenant_ID="other")
    assert {call["tenant"] for call in narrowed["calls"]} == {"other"}
    outsider = member("charlie", factories.make_tenant("third"))
    outsider.refused("GET", "requests/same", status=404)


def test_others_deployments_and_the_platforms_keys_are_for_operators(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = (
        ("left_out", "theirs/m", "of_another_tenant"),
        ("key_rests", "openai/main", "provider_rate_limited"),
    )
    knowing(monkeypatch, make_reasons("req-1", acme.pk, notes=notes))
    (call,) = operator().get("requests/req-1")["calls"]
    assert [one["where"] for one in call["decisions"]] == ["theirs/m", "openai/main"]
    for hand in (member("alice", acme), key_hand("operator", tenants=(acme,))):
        (call,) = hand.get("requests/req-1")["calls"]
        assert [one["where"] for one in call["decisions"]] == ["openai"]


def test_strangers_and_callers_are_told_nothing(acme: Tenant) -> None:
    factories.make_entry(acme, request_id="req-1")
    key_hand("operator", tenants=()).refused("GET", "requests/req-1", status=403)


def test_corrections_are_no_calls(acme: Tenant) -> None:
    booked = factories.make_entry(acme, request_id="mended")
    factories.make_entry(acme, request_id="mended", corrects=booked.pk)
    assert [call["id"] for call in operator().get("requests/mended")["calls"]] == [str(booked.pk)]


def test_an_id_that_all_calls_have_is_not_looked_at_without_end(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "LOOKED_AT_MOST", 3)
    booked = [factories.make_entry(acme, request_id="again").pk for _ in range(6)]
    knowing(monkeypatch, *(make_reasons("again", acme.pk, call_id=one) for one in booked))
    told = operator().get("requests/again")["calls"]
    assert all(call["entry"] is not None for call in told)
    knowing(monkeypatch)
    assert len(operator().get("requests/again")["calls"]) == 3
