"""A browser that leaves while it tries a door: its call ends as on the lane. And one at a foreign address."""

import json
from collections.abc import Iterator

import pytest

from tests.api.conftest import Serving
from tests.support.browser import Browser, people_make
from tests.support.caller import Caller, fresh, hello
from tests.support.gateway_server import GatewayServer
from tests.support.provider_scripts import PIECES, delta, event, replies, streams
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line, exchange, request_bytes
from tests.support.small_configurations import ACME, INPUT_NANO, OUTPUT_NANO, acme_at, stub_at
from tests.support.waiting import eventually

CHAT = "/api/try/v1/chat/completions"
NOTICED_WITHIN = 1.0


@pytest.fixture(scope="module")
def own_gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(stub_at(provider.url()) + ACME) as server:
        people_make(server, alice={"acme": "owner"})
        yield server


@pytest.fixture
def caller(own_gateway: GatewayServer) -> Caller:
    """Who looks into the books."""
    return acme_at(own_gateway)


@pytest.fixture
def alice(own_gateway: GatewayServer) -> Iterator[Browser]:
    with Browser(own_gateway) as browser:
        yield browser.sign_in("alice")


def try_bytes(alice: Browser, body: bytes, request: str, path: str = CHAT, **more: str) -> bytes:
    """What her browser sends, byte by byte, so that it can go away in the middle."""
    cookie = "; ".join(f"{one.name}={one.value}" for one in alice.client.cookies.jar)
    return request_bytes("POST", path, alice.headers(cookie=cookie, x_request_id=request, **more), body)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_left_before_its_answer_is_cancelled_and_booked_at_its_bound(
    caller: Caller, alice: Browser, provider: ProviderStub, stream: bool, accept: str
) -> None:
    name, request = fresh("left"), fresh("left")
    provider.script(name, streams(gated=True) if stream else replies(b"{}", gated=True))
    with Line(caller.gateway.port) as line:
        line.send(try_bytes(alice, hello(f"stub/{name}", stream=stream), request, accept=accept))
        assert provider.wait_for(lambda: bool(provider.heard(name)))
    assert provider.wait_for(lambda: provider.heard(name)[0].left, NOTICED_WITHIN)
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.outcomes) == ("unsettled", True, ["caller_left"])
    assert row.key == "try (owner)"
    assert eventually(caller.books_agree)
    assert request not in caller.gateway.log


def test_a_stream_left_halfway_is_charged_for_what_was_delivered(
    caller: Caller, alice: Browser, provider: ProviderStub
) -> None:
    name, request = fresh("halfway"), fresh("halfway")
    provider.script(name, streams(gated=True))
    with Line(caller.gateway.port) as line:
        line.send(try_bytes(alice, hello(f"stub/{name}", stream=True), request))
        for piece in PIECES[:2]:
            provider.gate(name).open()
            line.until(event(delta(piece)))
    assert provider.wait_for(lambda: provider.heard(name)[0].left, NOTICED_WITHIN)
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.outcomes) == ("settled", True, ["caller_left"])
    assert row.charge_nano == row.meters["input"] * INPUT_NANO + row.meters["output"] * OUTPUT_NANO
    assert eventually(caller.books_agree)


@pytest.mark.parametrize(
    ("path", "envelope"), [(CHAT, None), ("/api/try/v1/messages", "error"), ("/api/schema/", None)]
)
def test_a_foreign_host_is_refused_in_our_words_and_books_nothing(
    caller: Caller, alice: Browser, path: str, envelope: str | None
) -> None:
    known, request = caller.gateway.known_calls(), fresh("foreign")
    sent = try_bytes(alice, hello("stub/foreign"), request, path, host="evil.example")
    answer = exchange(caller.gateway.port, sent)
    told = answer.json()
    assert (answer.status, told.get("type")) == (400, envelope)
    assert "foreign_host" in json.dumps(told)
    assert answer.header("x-request-id") == request
    assert caller.gateway.known_calls() == known
