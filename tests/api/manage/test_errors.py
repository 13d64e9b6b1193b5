"""What is wrong with a request is said in one envelope, whatever it is, and never in HTML."""

import logging
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client, override_settings

from api.manage.bodies import BODY_AT_MOST, body_read
from api.manage.tenants import TenantSerializer
from gateway.errors import InvalidRequest
from tenants.models import Budget, Project, Tenant
from tests import factories
from tests.api.manage.hands import ROOT, Hand, operator

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def hand() -> Hand:
    factories.make_tenant()
    return operator()


def test_all_fields_that_are_wrong_are_listed(hand: Hand) -> None:
    body = {"tenant": "nobody", "amount_usd": "much", "window": "year", "hrad": True, "alert_percents": [0]}
    error = hand.refused("POST", "budgets", body)
    assert error["code"] == "validation_failed"
    assert set(error["fields"]) == set(body)
    assert all(error["fields"].values())
    one = hand.refused("POST", "budgets", {"tenant": "acme", "amount_usd": "1", "alert_percents": [0]})
    assert one["param"] == "alert_percents"


def test_a_misspelt_field_or_parameter_does_nothing_in_silence(hand: Hand) -> None:
    hand.refused("POST", "budgets", {"tenant": "acme", "amount_usd": "1", "hrad": False})
    hand.refused("PATCH", "tenants/acme", {"titel": "Acme"})
    hand.refused("PATCH", "tenants/acme", {"id": "mine"})
    hand.refused("PUT", "projects/acme/search", {"cost_center": "CC-1"})
    assert hand.refused("GET", "projects?tennant=acme", status=400)["param"] == "tennant"
    assert hand.refused("PATCH", "tenants/acme?titel=1", {}, status=400)["param"] == "titel"
    assert not Budget.objects.exists()
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"acme"',
        b"null",
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": "a\\u0000b"}',
        b'{"headers": {"a": ["\\ud800"]}}',
        b'{"name": "\xff"}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b'{"name": ' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_an_object_of_json_is_a_400(hand: Hand, body: bytes) -> None:
    error = hand.refused("POST", "tenants", body, status=400)
    assert error["code"] == "invalid_request"
    assert Tenant.objects.count() == 1


def test_fractions_are_read_to_their_last_digit() -> None:
    assert body_read(b'{"usd": 0.1000000000000000055}') == {"usd": Decimal("0.1000000000000000055")}
    with pytest.raises(InvalidRequest) as told:
        body_read(b'{"secret": "sk-1", x}')
    assert "sk-1" not in told.value.message


def test_json_is_read_as_such_whatever_its_type_says(hand: Hand) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
        answer = hand.client.patch(
            f"{ROOT}/tenants/acme", b'{"title": "' + kind.encode() + b'"}', content_type=kind
        )
        assert (answer.status_code, answer.json()["title"]) == (200, kind)
    answer = hand.client.post(f"{ROOT}/tenants", {"name": "parts"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_a_body_has_its_limit(hand: Hand) -> None:
    error = hand.refused("POST", "tenants", b" " * (BODY_AT_MOST + 1), status=413)
    assert error["code"] == "request_too_large"


def test_addresses_methods_and_ids_that_are_none(hand: Hand) -> None:
    for path in (
        "nothing",
        "tenants/",
        "keys/app",
        "limits/1",
        "keys/x/rotate",
        "prices/-1",
        "prices/" + "9" * 30,
    ):
        assert hand.refused("GET", path, status=404)["code"] == "not_found"
    for path in ("tenants/a%00b", "projects/acme", "projects/acme/", "tenants/" + "a" * 2000):
        assert hand.refused("GET", path, status=404)["code"] == "not_found"
    for method, path in (
        ("DELETE", "tenants"),
        ("DELETE", "entries"),
        ("OPTIONS", "tenants"),
        ("PUT", "keys"),
    ):
        assert hand.refused(method, path, status=405)["code"] == "method_not_allowed"
    for query in ("limit=0", "limit=201", "limit=many", "limit=²", "after=first"):
        error = hand.refused("GET", f"tenants?{query}", status=400)
        assert error["param"] == query.partition("=")[0]


def test_strangers_learn_nothing_of_addresses() -> None:
    stranger = Hand(Client())
    for path in ("", "tenants", "keys", "prices/1", "entries"):
        assert stranger.refused("GET", path, status=401, accept="text/html")["code"] == "invalid_api_key"
    stranger.refused("GET", "nothing", status=404, accept="text/html")


def test_what_django_refuses_itself_is_said_in_the_same_words(hand: Hand) -> None:
    with override_settings(ALLOWED_HOSTS=["gateway.example.com"]):
        hand.refused("GET", "tenants", status=400)
    hand.refused("GET", f"{ROOT}ment/tenants", status=404)


def test_a_request_id_is_given_back_or_made(hand: Hand) -> None:
    assert hand.ask("GET", "tenants", x_request_id="mine-1")["X-Request-ID"] == "mine-1"
    made = hand.ask("GET", "tenants", x_request_id="not mine")["X-Request-ID"]
    assert made not in ("", "not mine")
    assert hand.refused("GET", "tenants/nobody", status=404, x_request_id="mine-2")["request_id"] == "mine-2"


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (RuntimeError("sk-secret"), 500),
        (IntegrityError("sk-secret"), 409),
        (OperationalError("sk-secret"), 503),
    ],
)
def test_troubles_within_are_told_and_logged_without_their_words(
    hand: Hand,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Exception,
    status: int,
) -> None:
    def fail(*_: Any) -> None:
        raise trouble

    monkeypatch.setattr(TenantSerializer, "create", fail)
    with caplog.at_level(logging.INFO):
        answer = hand.ask("POST", "tenants", {"name": "new"})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "request_id"}
    assert "sk-secret" not in answer.content.decode() + caplog.text


def test_what_others_need_stays_with_a_conflict(hand: Hand) -> None:
    acme = Tenant.objects.get()
    factories.make_key(acme, project=factories.make_project(acme))
    assert hand.refused("DELETE", "projects/acme/search", status=409)["code"] == "conflict"
    factories.make_price(provider=factories.make_provider())
    hand.refused("DELETE", "providers/echo", status=409)
    assert "blocked" in hand.refused("DELETE", "tenants/acme")["fields"]
    assert Tenant.objects.exists()
