"""`STREAMING_ENABLED=false`: stream requests are refused at every door, whole answers are given as ever."""

import json
from collections.abc import Iterator

import pytest

from tests.api.conftest import Serving
from tests.support.caller import CHAT, Caller, hello
from tests.support.gateway_server import GatewayServer
from tests.support.plain_doors import STREAMED, WHOLE, PlainDoor
from tests.support.refusals import refused
from tests.support.small_configurations import ACME, ECHO, acme_at


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(ECHO + ACME, STREAMING_ENABLED="false") as server:
        yield server


@pytest.fixture
def caller(gateway: GatewayServer) -> Iterator[Caller]:
    """Whoever has this costs nobody anything."""
    known = gateway.known_calls()
    yield acme_at(gateway)
    assert gateway.known_calls() == known


@pytest.mark.parametrize("door", STREAMED, ids=str)
def test_a_stream_is_refused(caller: Caller, door: PlainDoor) -> None:
    door.error(door.ask(caller, "echo"), 400, "streaming_disabled")


def test_openais_clients_are_refused_in_their_words(caller: Caller) -> None:
    refused(caller.post(hello("echo", stream=True)), 400, "streaming_disabled")


def test_anthropics_clients_are_refused_in_their_words(caller: Caller) -> None:
    members = json.loads(hello("echo", stream=True, max_tokens=5))
    told = caller.post(json.dumps(members).encode(), path="/v1/messages")
    assert (told.status, told.json()["type"]) == (400, "error")


@pytest.mark.parametrize("door", WHOLE, ids=str)
def test_a_whole_answer_is_given(gateway: GatewayServer, door: PlainDoor) -> None:
    assert door.ask(acme_at(gateway), "echo").status == 200
    assert acme_at(gateway).post(hello("echo"), path=CHAT).status == 200
