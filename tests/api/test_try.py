"""The inference doors for people who are signed in: a tenant of theirs pays, within all its limits."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.doors import DOORS, Inference
from api.schema.samples import FORM, TRANSCRIPTION
from api.schema.sheets import sheet_of
from gateway.forms import add_field
from tests.api.conftest import Serving
from tests.support.browser import Browser, people_make
from tests.support.caller import fresh
from tests.support.gateway_server import GatewayServer, Row
from tests.support.waiting import eventually

TRY = "/api/try"
CHAT = "/api/try/v1/chat/completions"
HELLO = b'{"messages": [{"role": "user", "content": "hello you"}]}'
STREAM = b'{"messages": [{"role": "user", "content": "hello you"}], "stream": true}'
INFERENCE = [path for path, door in DOORS.items() if isinstance(door, Inference)]
SETTLED_AT_NOTHING = "/v1/messages/count_tokens"

CONFIGURATION = """
providers: {echo: {wire: echo}}
models:
  echo: {max_output_tokens: 100, deployments: [{provider: echo}]}
  echo-embedding: {kind: embedding, deployments: [{provider: echo}]}
  echo-image: {kind: image, max_output_tokens: 100, deployments: [{provider: echo}]}
  echo-audio: {kind: audio, deployments: [{provider: echo}]}
  echo-moderation: {kind: moderation, deployments: [{provider: echo}]}
  echo-rerank: {kind: rerank, deployments: [{provider: echo}]}
prices:
  - {provider: echo, model: "*", input: 1, output: 2}
  - {provider: echo, model: "*", image: 0.04, audio_second: 0.0001}
defaults: {chat: echo, embedding: echo-embedding}
tenants:
  acme:
    budgets: [{amount: 1000, window: total, hard: true}]
    policy: {cache: "off"}
    keys: [{name: app, secret: acme-key-0000000001}]
  other: {keys: [{name: app, secret: other-key-000000001}]}
  poor: {budgets: [{amount: 0.000001, window: total, hard: true}]}
  rare: {limits: {rpd: 1}}
"""


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION) as server:
        people_make(
            server,
            operator="operator",
            alice={"acme": "owner"},
            bob={"acme": "developer", "poor": "developer", "rare": "owner"},
            charlie={"other": "owner"},
            finance={"acme": "finance"},
        )
        yield server


@pytest.fixture(scope="module")
def alices(gateway: GatewayServer) -> Iterator[Browser]:
    """She signs in once: a password takes half a second."""
    with Browser(gateway) as browser:
        yield browser.sign_in("alice")


@pytest.fixture
def alice(gateway: GatewayServer, alices: Browser) -> Iterator[Browser]:
    with Browser(gateway) as browser:
        yield browser.like(alices)


def entry_of(gateway: GatewayServer, tenant: str, request: str) -> Row:
    (row,) = eventually(lambda: gateway.ledger(tenant=tenant, request=request))
    return row


def code_of(answer: Any) -> str:
    code: str = answer.json()["error"]["code"]
    return code


@pytest.mark.parametrize("path", INFERENCE)
def test_every_inference_door_is_there_and_its_example_is_one_entry(
    gateway: GatewayServer, alice: Browser, path: str
) -> None:
    door, request = DOORS[path], fresh("try")
    assert isinstance(door, Inference)
    media = FORM if door.form else "application/json"
    example = sheet_of(path, door).example
    answer = alice.post(f"{TRY}{path}", example, content_type=media, x_request_id=request)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"] == request
    row = entry_of(gateway, "acme", request)
    assert row.status == "settled"
    assert (row.charge_nano == 0) == (path == SETTLED_AT_NOTHING)
    assert row.key == "try (owner)"
    assert eventually(lambda: gateway.open_holds() == 0)


def test_who_is_not_signed_in_makes_no_call(gateway: GatewayServer) -> None:
    known = gateway.known_calls()
    with Browser(gateway) as stranger:
        for headers in ({}, {"authorization": "Bearer acme-key-0000000001"}):
            answer = stranger.post(CHAT, HELLO, **headers)
            assert (answer.status_code, code_of(answer)) == (401, "invalid_api_key")
        page = stranger.get(CHAT, accept="text/html")
        assert (page.status_code, page.headers["location"]) == (302, f"/admin/login/?next={CHAT}")
    assert gateway.known_calls() == known


def test_nothing_is_sent_without_the_token_or_from_another_site(
    gateway: GatewayServer, alice: Browser
) -> None:
    known = gateway.known_calls()
    for headers in ({"x_csrftoken": ""}, {"origin": "https://evil.example"}):
        answer = alice.post(CHAT, HELLO, **headers)
        assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    recording = f"{TRY}/v1/audio/transcriptions"
    assert alice.post(recording, TRANSCRIPTION, content_type=FORM, x_csrftoken="").status_code == 403
    assert gateway.known_calls() == known


def test_nobody_calls_for_a_tenant_they_could_issue_no_key_for(
    gateway: GatewayServer, alice: Browser
) -> None:
    known = gateway.known_calls()
    assert alice.post(f"{CHAT}?tenant=other", HELLO).status_code == 403
    assert alice.post(CHAT, HELLO, x_tenant_id="other").status_code == 403
    with Browser(gateway) as browser:
        finance = browser.sign_in("finance")
        assert finance.post(CHAT, HELLO).status_code == 403
        assert finance.get(TRY + "/").json()["tenants"] == []
    assert gateway.known_calls() == known


def test_who_is_of_several_tenants_names_the_one_that_pays(gateway: GatewayServer) -> None:
    with Browser(gateway) as browser:
        bob = browser.sign_in("bob")
        answer = bob.post(CHAT, HELLO)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tenant")
        assert bob.get(CHAT).json()["tenants"] == ["acme", "poor", "rare"]
        request = fresh("named")
        assert bob.post(f"{CHAT}?tenant=acme", HELLO, x_request_id=request).status_code == 200
        assert entry_of(gateway, "acme", request).key == "try (developer)"


def test_an_operator_calls_for_any_tenant(gateway: GatewayServer) -> None:
    with Browser(gateway) as browser:
        request = fresh("operator")
        answer = browser.sign_in("operator").post(CHAT, HELLO, x_request_id=request, x_tenant_id="other")
        assert answer.status_code == 200
    assert entry_of(gateway, "other", request).key == "try (operator)"


def test_budgets_and_limits_of_the_tenant_hold(gateway: GatewayServer) -> None:
    with Browser(gateway) as browser:
        bob = browser.sign_in("bob")
        refused = bob.post(f"{CHAT}?tenant=poor", HELLO)
        assert (refused.status_code, code_of(refused)) == (429, "budget_exceeded")
        told = [bob.post(f"{CHAT}?tenant=rare", HELLO).status_code for _ in range(2)]
        assert told == [200, 429]
    assert gateway.spent("nano", "poor") == 0


def test_errors_are_the_dialects_own(alice: Browser) -> None:
    wrong = alice.post(f"{TRY}/v1/messages", b'{"max_tokens": 1, "messages": 7}')
    assert (wrong.status_code, wrong.json()["type"]) == (400, "error")
    wrong = alice.post(f"{TRY}/api/v1/gateway/generate", b"{}")
    assert (wrong.status_code, wrong.json()["success"]) == (422, False)
    wrong = alice.post(f"{TRY}/query", b"not json")
    assert (wrong.status_code, code_of(wrong)) == (400, "invalid_request")
    assert alice.get(f"{TRY}/nothing").status_code == 404
    assert alice.client.put(CHAT, headers=alice.headers()).status_code == 405


def test_a_stream_comes_as_events_and_is_settled(gateway: GatewayServer, alice: Browser) -> None:
    request = fresh("stream")
    headers = alice.headers(x_request_id=request)
    with alice.client.stream("POST", CHAT, content=STREAM, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = [line for line in answer.iter_lines() if line]
    assert len(lines) > 2
    assert lines[-1] == "data: [DONE]"
    assert entry_of(gateway, "acme", request).status == "settled"


def test_a_page_shows_its_example_and_what_came_back(alice: Browser) -> None:
    page = alice.get(CHAT, accept="text/html")
    assert page.status_code == 200
    assert "Say hello." in page.text
    told = alice.post(CHAT, STREAM, accept="text/html")
    assert told.headers["content-type"] == "text/html; charset=utf-8"
    assert "data: [DONE]" in told.text
    assert "text/event-stream" in told.text
    shown = alice.post(CHAT, b'{"messages": "<script>alert(1)</script>"}', accept="text/html")
    assert shown.status_code == 400
    assert "<script>alert" not in shown.text
    sound = alice.post(f"{TRY}/v1/audio/speech", b'{"model":"echo-audio","input":"hi"}', accept="text/html")
    assert "bytes of audio/wav" in sound.text


def test_a_page_shows_no_more_of_a_long_answer_than_it_can(gateway: GatewayServer, alice: Browser) -> None:
    request, words = fresh("long"), "word " * 60_000
    body = json.dumps({"model": "echo", "prompt": words}).encode()
    told = alice.post(f"{TRY}/v1/completions", body, accept="text/html", x_request_id=request)
    assert told.status_code == 200
    assert "more came, and is not shown" in told.text
    assert entry_of(gateway, "acme", request).status == "settled"


def test_a_forms_token_reaches_no_provider(gateway: GatewayServer, alice: Browser) -> None:
    token = alice.token
    body, request = add_field(TRANSCRIPTION, FORM, "csrfmiddlewaretoken", token.encode()), fresh("form")
    path = f"{TRY}/v1/audio/transcriptions"
    answer = alice.post(path, body, content_type=FORM, x_csrftoken="", x_request_id=request)
    assert answer.status_code == 200, answer.text
    assert entry_of(gateway, "acme", request).status == "settled"
    assert token not in gateway.log


def test_what_the_lane_says_of_the_cache_and_the_call_reaches_people_and_pages(
    gateway: GatewayServer,
) -> None:
    wishes = {"x_gateway_cache": "ttl=60", "x_gateway_tags": "team=search", "x_gateway_timeout": "20"}
    with Browser(gateway) as charlie:
        charlie.sign_in("charlie")
        first, again = (charlie.post(CHAT, HELLO, **wishes) for _ in range(2))
        assert [answer.headers["x-gateway-cache"] for answer in (first, again)] == ["miss", "hit"]
        for name in ("provider", "model", "cost-usd", "overhead-ms"):
            assert first.headers[f"x-gateway-{name}"]
        request = fresh("past")
        past = charlie.post(CHAT, HELLO, x_gateway_cache="no-store", x_request_id=request)
        assert past.headers["x-gateway-cache"] == "bypass"
        assert entry_of(gateway, "other", request).status == "settled"
        page = charlie.post(CHAT, HELLO, accept="text/html", **wishes)
        told = re.sub(r"<[^>]+>", "", page.text).lower()
        assert re.search(r"x-gateway-cache:\s*hit", told)
        assert re.search(r"x-gateway-cost-usd:\s*0", told)
        refused = charlie.post(CHAT, HELLO, x_gateway_cache="always")
        assert (refused.status_code, code_of(refused)) == (400, "invalid_request")


def test_a_key_that_is_sent_along_is_not_used(gateway: GatewayServer, alice: Browser) -> None:
    request = fresh("along")
    answer = alice.post(CHAT, HELLO, x_request_id=request, authorization="Bearer other-key-000000001")
    assert answer.status_code == 200
    assert entry_of(gateway, "acme", request).key == "try (owner)"
