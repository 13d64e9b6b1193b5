"""What the doors tell that cost nothing: providers, models and health, to whom it may be told alone."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.provider_scripts import fails
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import exchange, request_bytes
from tests.support.telling import CONFIGURATION, QUERY, TELLING, keyed, limits, providers, read
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION.format(url=provider.url())) as server:
        yield server
        assert " ERROR " not in server.log


@pytest.fixture
def acme(gateway: GatewayServer) -> Caller:
    return Caller(gateway, "acme", "acme-key-0000000001")


@pytest.mark.parametrize("path", TELLING)
def test_nothing_is_told_without_a_key(acme: Caller, path: str) -> None:
    answer = exchange(acme.gateway.port, request_bytes("GET", path), "GET")
    assert answer.status == 401
    assert b"invalid_api_key" in answer.body


@pytest.mark.parametrize("path", TELLING)
def test_telling_costs_nothing(acme: Caller, path: str) -> None:
    known, used = acme.gateway.known_calls(), limits(acme)
    answer = read(acme, path, X_Request_ID="telling")
    assert (answer.status, answer.header("x-request-id")) == (200, "telling")
    assert acme.gateway.known_calls() == known
    assert limits(acme) == used


@pytest.mark.parametrize("path", TELLING)
def test_what_tells_does_not_take(acme: Caller, path: str) -> None:
    answer = acme.post(b"{}", path=path)
    assert answer.status == 405
    assert "GET" in (answer.header("allow") or "")


def test_liveness_needs_no_key(acme: Caller) -> None:
    answer = exchange(acme.gateway.port, request_bytes("GET", "/api/v1/health"), "GET")
    assert (answer.status, answer.json()["status"]) == (200, "healthy")


def test_providers_and_what_is_known_of_them(acme: Caller) -> None:
    told = providers(acme)
    assert set(told) == {"near", "far", "declared"}
    assert told["near"] == {
        "name": "near",
        "type": "local",
        "model": "llama",
        "security_level": "high",
        "cost_per_token": pytest.approx(3e-6),
        "status": "available",
    }
    assert [told[name]["type"] for name in ("far", "declared")] == ["cloud", "local"]
    assert told["declared"]["cost_per_token"] is None


def test_a_provider_in_its_envelope_lists_its_models(acme: Caller) -> None:
    told = read(acme, "/api/v1/gateway/providers").json()
    assert told["success"] is True
    near = next(one for one in told["data"]["providers"] if one["name"] == "near")
    assert near == {
        "name": "near",
        "status": "available",
        "models": ["near-chat", "near/*"],
        "type": "local",
        "security_level": "high",
    }


def test_a_tenants_own_provider_is_told_to_nobody_else(gateway: GatewayServer, acme: Caller) -> None:
    assert "owned" in providers(keyed(gateway, "other", "other"))
    assert "owned" not in providers(acme)
    assert QUERY.ask(acme, "near-chat", provider="owned").status == 404
    assert read(acme, "/api/v1/models/owned-chat").status == 404


def test_a_key_is_told_of_those_that_serve_it(gateway: GatewayServer) -> None:
    narrow = keyed(gateway, "narrow")
    assert set(providers(narrow)) == {"near", "far"}
    assert [one["name"] for one in read(narrow, "/api/v1/models").json()["models"]] == ["far-chat"]


def test_a_provider_whose_calls_fail_is_degraded_and_health_says_so(
    gateway: GatewayServer, provider: ProviderStub
) -> None:
    other, name = keyed(gateway, "other", "other"), fresh("ill")
    provider.script(name, fails(500))
    for _ in range(6):
        QUERY.ask(other, f"near/{name}")
    assert providers(other)["near"]["status"] == "degraded"
    told = read(other, "/health/detailed").json()
    assert (told["service"], told["status"]) == ("degraded", "degraded")
    assert told["providers"]["near"] == {
        "available": True,
        "status": "degraded",
        "last_checked": told["timestamp"],
    }
    assert told["uptime"] > 0
    assert told["cache"] == read(other, "/cache/status").json()


def test_the_limiters_figures_are_the_tenants_own(gateway: GatewayServer, acme: Caller) -> None:
    QUERY.ask(acme, None, user_id="alice")
    assert eventually(
        lambda: read(acme, "/health/detailed").json()["rate_limiter"]["global_requests_last_minute"]
    )
    assert read(acme, "/api/v1/health/detailed").json()["rate_limiter"]["active_users"] == 1
    assert read(keyed(gateway, "searching"), "/health/detailed").status == 200


def test_the_rest_of_admin_is_djangos(acme: Caller) -> None:
    answer = read(acme, "/admin/login/")
    assert (answer.status, b"<html" in answer.body) == (200, True)
