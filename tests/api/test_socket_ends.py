"""However a socket ends, what was open on it is cancelled, settled and booked."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.passage import Passage
from tests.support.provider_scripts import PIECES, streams
from tests.support.provider_stub import ProviderStub
from tests.support.small_configurations import ACME, CALL_NANO, acme_at, stub_at
from tests.support.socket_client import SocketClient
from tests.support.waiting import eventually

NOTICED_WITHIN = 1.0
IDLE_SECONDS = 1


@pytest.fixture(scope="module")
def gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(stub_at(provider.url()) + ACME, GATEWAY_SOCKET_IDLE_SECONDS=str(IDLE_SECONDS)) as server:
        yield server


@pytest.fixture
def caller(gateway: GatewayServer) -> Caller:
    return acme_at(gateway)


def closes(client: SocketClient, _: Passage) -> None:
    client.connection.close()


def is_cut_off(_: SocketClient, passage: Passage) -> None:
    passage.cut()


@pytest.mark.parametrize("leaves", [closes, is_cut_off])
def test_all_that_is_open_is_cancelled_and_booked_when_the_caller_is_gone(
    caller: Caller, provider: ProviderStub, leaves: Callable[[SocketClient, Passage], None]
) -> None:
    names = [fresh("gone") for _ in range(4)]
    begun, waiting = names[:2], names[2:]
    with (
        Passage(("127.0.0.1", caller.gateway.port)) as passage,
        SocketClient(passage.port, caller.key) as client,
    ):
        for name in names:
            provider.script(name, streams(gated=True))
            client.ask(name, f"stub/{name}", request_id=name)
        for name in begun:
            provider.gate(name).open()
        assert {client.next()["text"] for _ in begun} == {PIECES[0]}
        assert provider.wait_for(lambda: all(provider.heard(name) for name in names))
        leaves(client, passage)
        assert provider.wait_for(lambda: all(provider.heard(name)[0].left for name in names), NOTICED_WITHIN)
    rows = {name: caller.entry(name) for name in names}
    assert {rows[name].status for name in begun} == {"settled"}
    assert {rows[name].status for name in waiting} == {"unsettled"}
    assert {tuple(row.outcomes) for row in rows.values()} == {("caller_left",)}
    assert eventually(caller.books_agree)


def test_a_socket_is_closed_when_nothing_was_open_for_a_while(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("idle")
    provider.script(name, streams(["x"], gated=True))
    with SocketClient(caller.gateway.port, caller.key) as client:
        client.ask(name, f"stub/{name}")
        with pytest.raises(TimeoutError):
            client.next(within=2.5 * IDLE_SECONDS)
        provider.gate(name).open(2)
        assert client.until_over(name)[name][-1]["type"] == "done"
        assert client.code() == 4408


def test_a_server_that_ends_answers_what_is_open_and_takes_nothing_new(
    serving: Serving, provider: ProviderStub
) -> None:
    name = fresh("ending")
    provider.script(name, streams(gated=True))
    with serving(stub_at(provider.url()) + ACME) as gateway, ThreadPoolExecutor(1) as pool:
        caller = acme_at(gateway)
        with SocketClient(gateway.port, caller.key) as client, SocketClient(gateway.port, caller.key) as idle:
            client.ask(name, f"stub/{name}", request_id=name)
            provider.gate(name).open()
            assert client.next()["text"] == PIECES[0]
            stopping = pool.submit(gateway.webs[0].stop)
            assert idle.code() == 1012
            refused = client.answer("late", f"stub/{fresh('late')}")
            assert refused["error"]["code"] == "restarting"
            assert refused["error"]["retry_after"] == 1
            provider.gate(name).open(3)
            assert client.until_over(name)[name][-1]["type"] == "done"
            assert client.code() == 1012
        assert stopping.result() in (0, -signal.SIGTERM)
        gateway.webs[0].start()
        gateway.webs[0].await_ready()
        assert caller.entry(name).charge_nano == CALL_NANO
        assert eventually(caller.books_agree)
