"""What the doors tell of limits, and windows that an operator has begin anew."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.plain_doors import PlainDoor
from tests.support.provider_scripts import PROMPT_TOKENS, streams
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line
from tests.support.small_configurations import CALL_NANO
from tests.support.telling import CONFIGURATION, QUERY, keyed, limits, read, reset
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION.format(url=provider.url())) as server:
        yield server
        assert " ERROR " not in server.log


@pytest.fixture
def acme(gateway: GatewayServer) -> Caller:
    return Caller(gateway, "acme", "acme-key-0000000001")


def test_limits_are_told_as_the_books_have_them(acme: Caller) -> None:
    before = limits(acme)
    QUERY.ask(acme, None)
    after = limits(acme)
    assert set(after) == {
        "tenant requests minute",
        "tenant tokens day",
        "tenant concurrency none",
        "tenant usd month",
        "tenant usd totalfar-chat",
        "key requests minute",
        "key requests 5 seconds",
    }
    calls = after["tenant requests minute"]
    assert calls["used"] == before["tenant requests minute"]["used"] + 1
    assert calls["remaining"] == calls["limit"] - calls["used"] == 1000 - calls["used"]
    assert (calls["scope"], calls["name"], calls["reset_at"] > 0) == ("tenant", "acme", True)
    spent = after["tenant usd month"]["used"] - before["tenant usd month"]["used"]
    assert spent == pytest.approx(CALL_NANO * 1.5 / 10**9)
    assert after["tenant concurrency none"] == {
        "scope": "tenant",
        "name": "acme",
        "unit": "concurrency",
        "window": "none",
        "limit": 50,
        "used": 0,
        "remaining": 50,
        "reset_at": None,
    }
    assert limits(acme, "/api/v1/gateway/rate-limits") == after


def test_a_projects_limits_are_told_to_its_key(gateway: GatewayServer) -> None:
    assert limits(keyed(gateway, "searching"))["project requests hour"]["limit"] == 500


def test_what_calls_under_way_hold_is_used(acme: Caller, provider: ProviderStub) -> None:
    name = fresh("slow")
    provider.script(name, streams(gated=True))
    with Line(acme.gateway.port) as line:
        stream = PlainDoor(path="/stream", dialect="query")
        line.send(acme.request(stream.body(f"near/{name}"), path=stream.path))
        assert provider.wait_for(lambda: bool(provider.heard(name)))
        assert limits(acme)["tenant concurrency none"]["used"] == 1
        provider.gate(name).open(10)
        line.until(b"[DONE]\n\n")
    assert eventually(lambda: limits(acme)["tenant concurrency none"]["used"] == 0)


def test_a_users_limits_and_cooldown_are_told_and_reset(gateway: GatewayServer, acme: Caller) -> None:
    """Bob asks too often, and an operator lets him go on; what was spent stays spent."""
    bob, ops = fresh("bob"), keyed(gateway, "ops")
    status = f"/rate-limit/status?user_id={bob}"
    assert limits(acme, status)["end_user requests minute"]["used"] == 0
    statuses = [QUERY.ask(acme, None, user_id=bob).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    told = read(acme, status).json()
    assert told["user_id"] == bob
    assert told["cooldown_until"] > told["limits"][0]["reset_at"]
    assert limits(acme, status)["end_user requests minute"]["remaining"] == 0
    spent = limits(acme)["tenant usd month"]["used"]
    answer = reset(ops, b'{"user_id":"%b"}' % bob.encode(), X_Tenant_ID="acme")
    assert answer.json() == {"limits_reset": 1, "user_id": bob}
    assert read(acme, status).json()["cooldown_until"] is None
    assert limits(acme)["tenant usd month"]["used"] == spent
    assert limits(acme)["tenant requests minute"]["used"] > 0
    assert QUERY.ask(acme, None, user_id=bob).status == 200


def test_a_user_who_is_only_asked_about_is_not_made(acme: Caller) -> None:
    for _ in range(2):
        answer = read(acme, "/rate-limit/status?user_id=%00%FF%27%3B--stranger")
        assert answer.status == 200
        assert "reset_at" in answer.json()["limits"][0]
    assert "stranger" not in acme.gateway.manage("shell", "-c", PEOPLE)


PEOPLE = "from tenants.models import EndUser; print([one.name for one in EndUser.objects.all()])"


@pytest.mark.parametrize(("name", "tenant"), [("ops", "acme"), ("owning", ""), ("owning", "acme")])
def test_a_tenants_limits_begin_anew_but_for_money(
    gateway: GatewayServer, acme: Caller, name: str, tenant: str
) -> None:
    QUERY.ask(acme, None)
    spent = limits(acme)["tenant usd month"]["used"]
    named = {"X_Tenant_ID": tenant} if tenant else {}
    answer = reset(keyed(gateway, name), b"{}", **named)
    assert (answer.status, answer.json()["user_id"]) == (200, None)
    assert answer.json()["limits_reset"] == len(["rpm", "tpd", "project rph", "key rpm", "key burst"])
    after = limits(acme)
    assert after["tenant requests minute"]["used"] == after["tenant tokens day"]["used"] == 0
    assert after["key requests minute"]["used"] == 0
    assert after["tenant usd month"]["used"] == spent > 0


@pytest.mark.parametrize(
    ("name", "tenant", "status"),
    [
        ("acme", "", 403),
        ("acme", "acme", 403),
        ("building", "", 403),
        ("building", "acme", 403),
        ("owning", "other", 403),
        ("billing", "acme", 403),
        ("ops", "other", 403),
        ("ops", "", 403),
        ("no", "", 401),
    ],
)
def test_nobody_else_resets_limits(
    gateway: GatewayServer, acme: Caller, name: str, tenant: str, status: int
) -> None:
    QUERY.ask(acme, None)
    used = limits(acme)["tenant tokens day"]["used"]
    answer = reset(keyed(gateway, name), X_Tenant_ID=tenant)
    QUERY.error(answer, status, "forbidden" if status == 403 else "invalid_api_key")
    assert limits(acme)["tenant tokens day"]["used"] == used > PROMPT_TOKENS


@pytest.mark.parametrize(("body", "status"), [(b"[]", 400), (b"{", 400), (b'{"user_id":5}', 422)])
def test_a_reset_of_nonsense_is_refused(
    gateway: GatewayServer, acme: Caller, body: bytes, status: int
) -> None:
    used = limits(acme)["tenant tokens day"]
    code = "invalid_request" if status == 400 else "validation_failed"
    QUERY.error(reset(keyed(gateway, "ops"), body, X_Tenant_ID="acme"), status, code)
    assert limits(acme)["tenant tokens day"] == used
