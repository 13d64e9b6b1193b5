"""Answers that wait for PostgreSQL too: what was answered is in the ledger by then."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer, served_fleet
from tests.support.raw_http import exchange, request_bytes
from tests.support.refusals import refused
from tests.support.small_configurations import ACME, ECHO, acme_at
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayServer]:
    with served_fleet(ECHO + ACME, webs=1, GATEWAY_LEDGER_COMMIT="database") as server:
        yield server


@pytest.fixture
def caller(gateway: GatewayServer) -> Caller:
    return acme_at(gateway)


def waiting_entries(gateway: GatewayServer) -> int:
    answer = exchange(gateway.port, request_bytes("GET", "/health/ready", {}), "GET")
    entries: int = answer.json()["journal"]["entries"]
    return entries


@pytest.mark.parametrize("stream", [False, True])
def test_an_answered_call_is_in_the_ledger(caller: Caller, stream: bool) -> None:
    for _ in range(10):
        request = fresh("committed")
        assert caller.chat("echo", request, {"stream": stream}).status == 200
        assert [row.status for row in caller.gateway.ledger(request=request)] == ["settled"]


def test_without_a_drainer_the_answer_waits(caller: Caller) -> None:
    gateway, request = caller.gateway, fresh("waiting")
    (drain,) = gateway.drains
    drain.stop()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(caller.chat, "echo", request)
        assert eventually(lambda: waiting_entries(gateway) == 1)
        assert not answer.done()
        drain.start()
        assert answer.result().status == 200
    assert len(gateway.ledger(request=request)) == 1


def test_an_entry_that_does_not_get_there_in_time_is_no_answer(caller: Caller) -> None:
    """The call's own time is over before the least that the books have."""
    gateway, request = caller.gateway, fresh("late")
    (drain,) = gateway.drains
    drain.stop()
    refused(caller.chat("echo", request, X_Gateway_Timeout="1"), 503, "books_unavailable")
    drain.start()
    assert caller.entry(request).status == "settled"
