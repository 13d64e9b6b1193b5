"""`/api/v1/usage` and `/api/v1/usage/stats`: a tenant's own usage, as its ledger has it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.plain_doors import PlainDoor
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS, fails
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.small_configurations import ACME, CALL_NANO, stub_at
from tests.support.waiting import eventually

OTHER = "  other: {keys: [{name: app, secret: other-key-0000000001}]}\n"
GENERATE = PlainDoor(path="/api/v1/generate", dialect="models_v1")
CALLS = 3
NOTHING = {
    "total_requests": 0,
    "failed_requests": 0,
    "cached_requests": 0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "total_tokens": 0,
    "total_cost": 0,
    "average_latency_ms": None,
}


@pytest.fixture(scope="module")
def gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(stub_at(provider.url()) + ACME + OTHER) as server:
        yield server
        assert " ERROR " not in server.log


@pytest.fixture(scope="module")
def acme(gateway: GatewayServer, provider: ProviderStub) -> Caller:
    """Someone who made some calls, of which one failed."""
    caller, ill = Caller(gateway, "acme", "acme-key-0000000001"), fresh("ill")
    provider.script(ill, fails(401))
    for number in range(CALLS):
        assert GENERATE.ask(caller, "stub/one" if number else "stub/two", f"call-{number}").status == 200
    GENERATE.ask(caller, f"stub/{ill}", "call-failed")
    assert eventually(lambda: len(caller.entries()) == CALLS + 1)
    return caller


@pytest.fixture
def other(gateway: GatewayServer) -> Caller:
    return Caller(gateway, "other", "other-key-0000000001")


def read(caller: Caller, path: str) -> Answer:
    return exchange(caller.gateway.port, request_bytes("GET", path, caller.headers()), "GET")


def stats(caller: Caller, query: str = "") -> dict[str, Any]:
    told: dict[str, Any] = read(caller, f"/api/v1/usage/stats{query}").json()
    return told


def test_the_sums_of_a_day(acme: Caller) -> None:
    told = stats(acme)
    assert told.pop("average_latency_ms") >= 0
    assert told["until"] - told["since"] == pytest.approx(24 * 3600, abs=1)
    models = told.pop("models")
    assert {name: told[name] for name in NOTHING if name in told} == {
        "total_requests": CALLS + 1,
        "failed_requests": 1,
        "cached_requests": 0,
        "prompt_tokens": CALLS * PROMPT_TOKENS,
        "completion_tokens": CALLS * COMPLETION_TOKENS,
        "total_tokens": CALLS * (PROMPT_TOKENS + COMPLETION_TOKENS),
        "total_cost": pytest.approx(CALLS * CALL_NANO / 10**9),
    }
    assert (told["window"], told["complete"]) == ("24h", True)
    assert models["stub/one"]["total_requests"] == CALLS - 1


@pytest.mark.parametrize("window", ["1h", "7d", "month"])
def test_other_windows_have_them_too(acme: Caller, window: str) -> None:
    assert stats(acme, f"?window={window}")["total_requests"] == CALLS + 1


def test_nobody_sees_what_another_tenant_used(acme: Caller, other: Caller) -> None:
    assert acme.entries()
    told = stats(other)
    assert {name: told[name] for name in NOTHING} == NOTHING
    assert told["models"] == {}
    assert read(other, "/api/v1/usage").json()["entries"] == []


def test_the_newest_calls_page_by_page(acme: Caller) -> None:
    seen: list[dict[str, Any]] = []
    page = read(acme, "/api/v1/usage?limit=3").json()
    while page["entries"]:
        seen += page["entries"]
        if page["next"] is None:
            break
        page = read(acme, f"/api/v1/usage?limit=3&before={page['next']}").json()
    assert [one["request_id"] for one in seen] == ["call-failed", "call-2", "call-1", "call-0"]
    assert {name: seen[1][name] for name in ("kind", "status", "model", "provider", "key", "cost")} == {
        "kind": "chat",
        "status": "settled",
        "model": "stub/one",
        "provider": "stub",
        "key": "app",
        "cost": CALL_NANO / 10**9,
    }
    assert (seen[1]["prompt_tokens"], seen[1]["completion_tokens"]) == (PROMPT_TOKENS, COMPLETION_TOKENS)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("window=year", "window"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=000000050999999", "limit"),
        (f"limit=000000050{'9' * 5000}", "limit"),
        ("limit=%D9%A3", "limit"),
        ("before=yesterday", "before"),
    ],
)
def test_a_wrong_wish_is_422_and_named(acme: Caller, query: str, param: str) -> None:
    assert param in GENERATE.error(read(acme, f"/api/v1/usage?{query}"), 422, "validation_failed")["message"]
