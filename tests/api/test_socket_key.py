"""Who may open a socket, and what becomes of one whose key is not good any more."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from websockets.exceptions import InvalidStatus

from tests.api.conftest import Serving
from tests.support.caller import fresh
from tests.support.gateway_server import GatewayServer
from tests.support.raw_http import exchange
from tests.support.small_configurations import ACME, ECHO, acme_at
from tests.support.socket_client import PATH, SocketClient, error_of, handshake
from tests.support.waiting import eventually

KEY = "acme-key-0000000001"
ELSEWHERE = {"Origin": "https://elsewhere.test"}
REVOKED_WITHIN = 1.0
SOCKETS_AT_MOST = 100
TENANTS = (
    ACME
    + """
  nobodys: {}
  leavers: {keys: [{name: app, secret: leavers-key-0000000001}]}
  blocked: {keys: [{name: app, secret: blocked-key-0000000001}]}
"""
)
REVOKE = """
import time
from tenants.models import ApiKey, Tenant
{change}
print(time.monotonic())
"""


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(ECHO + TENANTS, LOG_LEVEL="DEBUG") as server:
        yield server


def changed(gateway: GatewayServer, change: str) -> float:
    """Change the configuration; when that was done, on everybody's clock."""
    told = gateway.manage("shell", "--no-imports", "-c", REVOKE.format(change=change))
    return float(told.split()[-1])


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"api-key": KEY}]
)
def test_the_key_may_come_in_any_of_the_headers(gateway: GatewayServer, headers: dict[str, str]) -> None:
    with SocketClient(gateway.port, headers=headers) as client:
        assert client.answer("a", "echo")["text"] == "hello"


def test_a_browser_names_the_key_as_a_subprotocol_and_never_sees_it_again(gateway: GatewayServer) -> None:
    with SocketClient(gateway.port, subprotocols=("gateway", KEY), headers=ELSEWHERE) as client:
        assert client.connection.subprotocol == "gateway"
        answered = client.connection.response
        assert answered is not None
        assert KEY not in str(list(answered.headers.raw_items()))
        assert client.answer("a", "echo")["text"] == "hello"


def test_neither_key_nor_prompt_is_logged_though_everything_is(gateway: GatewayServer) -> None:
    prompt = fresh("secret-prompt")
    with SocketClient(gateway.port, subprotocols=("gateway", KEY), path=f"{PATH}?key={KEY}") as client:
        assert client.answer("a", "echo", prompt=prompt)["text"] == prompt
        client.say(f"[{prompt}")
        error_of(client.next(), "invalid_request")
    assert " DEBUG " in gateway.log
    assert KEY not in gateway.log
    assert prompt not in gateway.log


def test_a_key_in_the_address_is_no_key(gateway: GatewayServer) -> None:
    with SocketClient(gateway.port, path=f"{PATH}?key={KEY}&api_key={KEY}") as client:
        assert client.code() == 4401


@pytest.mark.parametrize("key", ["", "no-such-key-0000000001"])
def test_without_a_good_key_the_socket_is_closed_with_a_code(gateway: GatewayServer, key: str) -> None:
    with SocketClient(gateway.port, key) as client:
        assert client.code() == 4401


def test_who_names_a_tenant_of_others_is_told_by_another_code(gateway: GatewayServer) -> None:
    with SocketClient(gateway.port, KEY, headers={"X-Tenant-ID": "nobodys"}) as client:
        assert client.code() == 4403


def test_a_page_of_another_site_without_a_key_gets_no_socket(gateway: GatewayServer) -> None:
    with pytest.raises(InvalidStatus) as refused, SocketClient(gateway.port, headers=ELSEWHERE):
        pass
    assert refused.value.response.status_code == 403
    assert b'"foreign_origin"' in (refused.value.response.body or b"")


def test_a_foreign_host_name_gets_no_socket(gateway: GatewayServer) -> None:
    answer = exchange(gateway.port, handshake(KEY, Host="elsewhere.test"), method="GET")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "foreign_host")


def test_there_is_no_socket_at_other_addresses_which_is_not_worth_a_line_in_the_log(
    gateway: GatewayServer,
) -> None:
    with pytest.raises(InvalidStatus) as refused, SocketClient(gateway.port, KEY, path="/ws/v2"):
        pass
    assert refused.value.response.status_code == 404
    assert "/ws/v2" not in gateway.log
    assert "handshake" not in gateway.log


def test_wrong_headers_of_the_handshake_are_told_by_http(gateway: GatewayServer) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        SocketClient(gateway.port, KEY, headers={"X-Gateway-Timeout": "soon"}),
    ):
        pass
    assert refused.value.response.status_code == 400
    assert b"X-Gateway-Timeout" in (refused.value.response.body or b"")


def test_a_key_may_have_so_many_sockets_and_no_more(gateway: GatewayServer) -> None:
    port = gateway.port
    with ExitStack() as stack:
        clients = [
            stack.enter_context(SocketClient(port, "leavers-key-0000000001")) for _ in range(SOCKETS_AT_MOST)
        ]
        assert {client.answer("a", "echo")["type"] for client in clients[-2:]} == {"done"}
        with SocketClient(port, "leavers-key-0000000001") as client:
            assert client.code() == 4429
        with SocketClient(port, KEY) as client:
            assert client.answer("a", "echo")["type"] == "done"
    with SocketClient(port, "leavers-key-0000000001") as client:
        assert client.answer("a", "echo")["type"] == "done"


@pytest.mark.parametrize(
    ("tenant", "change", "code", "closed"),
    [
        (
            "leavers",
            "ApiKey.objects.filter(tenant__name='leavers').update(blocked=True)",
            "invalid_api_key",
            4401,
        ),
        ("blocked", "Tenant.objects.filter(name='blocked').update(blocked=True)", "forbidden", 4403),
    ],
)
def test_a_socket_ends_with_the_first_request_after_its_key(
    gateway: GatewayServer, tenant: str, change: str, code: str, closed: int
) -> None:
    with SocketClient(gateway.port, f"{tenant}-key-0000000001") as client:
        assert client.answer("before", "echo")["type"] == "done"
        committed = changed(gateway, change)
        asked: list[float] = []

        def is_refused() -> bool:
            asked.append(time.monotonic())
            told = client.answer(f"after-{len(asked)}", "echo")
            return told["type"] == "error" and bool(error_of(told, code))

        assert eventually(is_refused)
        assert all(began < committed + REVOKED_WITHIN for began in asked[:-1])
        assert client.code() == closed


def test_a_socket_of_nobody_is_that_of_the_anonymous_tenant(serving: Serving) -> None:
    with serving(ECHO + ACME, GATEWAY_ANONYMOUS_TENANT="acme") as gateway:
        with SocketClient(gateway.port, headers={"Origin": f"http://localhost:{gateway.port}"}) as client:
            assert client.answer("a", "echo")["text"] == "hello"
        assert eventually(lambda: len(acme_at(gateway).entries()) == 1)
        with pytest.raises(InvalidStatus), SocketClient(gateway.port, headers=ELSEWHERE):
            pass
