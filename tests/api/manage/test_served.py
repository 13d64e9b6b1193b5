"""The management API on a gateway as it is run: what it changes is in force on the lane within a second."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer
from tests.support.small_configurations import ECHO
from tests.support.waiting import eventually

IN_FORCE_WITHIN = 1.0
OPS = "ops-key-000000000001"
CONFIGURATION = (
    ECHO
    + f"""
tenants:
  acme: {{keys: [{{name: app, secret: acme-key-0000000001}}]}}
platform: {{keys: [{{name: ops, secret: {OPS}, roles: [operator], tenants: all}}]}}
"""
)


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION) as server:
        yield server


def asked(gateway: GatewayServer, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Status, headers and JSON of one request over the wire."""
    line = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    data = body if body is None or not isinstance(body, dict) else json.dumps(body)
    try:
        line.request(method, f"/api/v1/manage/{path}", data, {"Authorization": f"Bearer {OPS}", **headers})
        answer = line.getresponse()
        text = answer.read()
    finally:
        line.close()
    assert answer.headers["X-Request-ID"]
    return answer.status, json.loads(text) if text else None


def in_force(call: Any, status: int) -> None:
    """Within a second of now, calls are answered so."""
    began = time.monotonic()
    assert eventually(lambda: call() == status, within=10.0)
    assert time.monotonic() - began <= IN_FORCE_WITHIN


def test_a_key_is_issued_calls_is_revoked_and_is_refused_at_once(gateway: GatewayServer) -> None:
    status, issued = asked(gateway, "POST", "keys", {"tenant": "acme", "name": "new"})
    assert status == 201
    alice = Caller(gateway, "acme", issued["secret"])
    in_force(lambda: alice.chat("echo").status, 200)
    assert asked(gateway, "POST", f"keys/{issued['id']}/revoke")[0] == 200
    in_force(lambda: alice.chat("echo").status, 401)
    assert issued["secret"] not in gateway.log


def test_a_limit_that_was_set_holds_and_the_call_is_in_the_ledger(gateway: GatewayServer) -> None:
    bob = Caller(gateway, "acme", "acme-key-0000000001")
    assert bob.chat("echo").status == 200

    def booked() -> Any:
        return asked(gateway, "GET", "entries?tenant=acme&limit=1")[1]["data"]

    assert eventually(booked, within=10.0)
    assert booked()[0]["tenant"] == "acme"
    limit = {"tenant": "acme", "unit": "requests", "window": "day", "amount": 0}
    status, row = asked(gateway, "POST", "limits", limit)
    assert status == 201
    in_force(lambda: bob.chat("echo").status, 429)
    assert asked(gateway, "DELETE", f"limits/{row['id']}")[0] == 204
    in_force(lambda: bob.chat("echo").status, 200)


def test_a_body_in_chunks_is_read_like_any_other(gateway: GatewayServer) -> None:
    chunks = iter((b'{"cost_', b'centre": "CC-7"}'))
    status, row = asked(gateway, "PUT", "projects/acme/chunked", chunks)
    assert (status, row["cost_centre"]) == (201, "CC-7")


def test_nothing_that_goes_wrong_is_html(gateway: GatewayServer) -> None:
    for method, path, headers, status in (
        ("GET", "nothing", {}, 404),
        ("GET", "tenants", {"Host": "evil.example"}, 400),
        ("GET", "tenants", {"Authorization": "Bearer made-up"}, 401),
        ("GET", "tenants", {"Authorization": "Bearer acme-key-0000000001"}, 403),
        ("PATCH", "tenants", {}, 405),
    ):
        answered, body = asked(gateway, method, path, **headers)
        assert answered == status
        assert set(body["error"]) == {"code", "message", "request_id"}
