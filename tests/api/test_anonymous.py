"""A gateway on loopback that names an anonymous tenant: no key is needed, and no real tenant is in reach."""

import json
from collections.abc import Iterator

import pytest

from tests.api.conftest import Serving
from tests.support.caller import CHAT, hello
from tests.support.gateway_server import GatewayServer
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.refusals import refused
from tests.support.small_configurations import ECHO
from tests.support.waiting import eventually

CONFIGURATION = (
    ECHO
    + """
tenants:
  demo:
    budgets: [{amount: 1, window: total, hard: true}]
  acme:
    keys: [{name: app, secret: acme-key-0000000001}]
"""
)
MADE_AT_MOST = 100


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION, GATEWAY_ANONYMOUS_TENANT="demo") as server:
        yield server


def say(gateway: GatewayServer, **headers: str) -> Answer:
    """Say hello without a key, unless the headers have one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(gateway.port, request_bytes("POST", CHAT, named, hello("echo")))


def booked_for(gateway: GatewayServer, request: str) -> str:
    """The tenant of a request's one entry."""
    (row,) = eventually(lambda: gateway.ledger(request=request))
    assert row.status == "settled"
    return row.tenant


def test_no_key_is_needed_and_the_call_is_booked(gateway: GatewayServer) -> None:
    assert say(gateway, X_Request_ID="plain").status == 200
    assert booked_for(gateway, "plain") == "demo"


def test_a_tenant_is_made_when_it_is_first_named(gateway: GatewayServer) -> None:
    for request in ("first", "second"):
        assert say(gateway, X_Tenant_ID="newcomer", X_Request_ID=request).status == 200
        assert booked_for(gateway, request) == "newcomer"


def test_without_a_key_nobody_acts_for_a_real_tenant(gateway: GatewayServer) -> None:
    refused(say(gateway, X_Tenant_ID="acme", X_Request_ID="stolen"), 401, "invalid_api_key")
    assert gateway.ledger(tenant="acme") == []


def test_a_key_still_counts_for_its_own_tenant(gateway: GatewayServer) -> None:
    answer = say(gateway, Authorization="Bearer acme-key-0000000001", X_Request_ID="own")
    assert answer.status == 200
    assert booked_for(gateway, "own") == "acme"


def test_a_wrong_key_is_no_anonymous_caller(gateway: GatewayServer) -> None:
    refused(say(gateway, Authorization="Bearer sk-wrong"), 401, "invalid_api_key")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_foreign_page_cannot_spend(gateway: GatewayServer, origin: str) -> None:
    refused(say(gateway, Origin=origin, X_Request_ID="page"), 403, "foreign_origin")
    assert gateway.ledger(request="page") == []


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1"])
def test_a_page_of_this_machine_is_served(gateway: GatewayServer, origin: str) -> None:
    assert say(gateway, Origin=origin).status == 200


@pytest.mark.parametrize("name", ["No Slug", "caf\u00e9", "x" * 65, "a/b", "' OR 1=1 --"])
def test_no_tenant_is_made_of_what_is_no_name(gateway: GatewayServer, name: str) -> None:
    refused(say(gateway, X_Tenant_ID=name), 403, "forbidden")


def test_models_are_listed_without_a_key(gateway: GatewayServer) -> None:
    answer = exchange(gateway.port, request_bytes("GET", "/v1/models"), "GET")
    assert [model["id"] for model in json.loads(answer.body)["data"]] == ["echo"]


def test_a_hundred_tenants_are_made_at_most(gateway: GatewayServer) -> None:
    """The newcomer of the test above is one of them."""
    names = ["newcomer", *(f"tenant-{number}" for number in range(MADE_AT_MOST + 1))]
    statuses = [say(gateway, X_Tenant_ID=name).status for name in names]
    assert statuses == [200] * MADE_AT_MOST + [403, 403]
    assert say(gateway, X_Tenant_ID="tenant-7").status == 200
