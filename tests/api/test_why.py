"""Whoever asks for a request id hears why its calls went as they did, whichever process made them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.caller import CHAT, Caller, fresh, hello
from tests.support.gateway_server import GatewayServer, served_fleet, served_gateway
from tests.support.provider_scripts import completion, fails, replies
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.waiting import eventually

SECRET = "made-up-secret-of-the-provider"
CANARY = "a-canary-that-sings-in-prompts"
CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{url}", keys: [{{name: main, secret: {secret}}}]}}
  spare: {{wire: openai, base_url: "{spare}", keys: [{{name: main, secret: {secret}}}]}}
models:
  "stub/*": {{max_output_tokens: 100, deployments: [{{provider: stub, model: "*"}}]}}
  "pair/*":
    max_output_tokens: 100
    deployments:
      - {{provider: stub, model: "*", priority: 0}}
      - {{provider: spare, model: "*", priority: 1}}
prices:
  - {{provider: stub, model: "*", input: 1, output: 2}}
  - {{provider: spare, model: "*", input: 1, output: 2}}
tenants:
  acme: {{keys: [{{name: app, secret: acme-key-0000000001}}]}}
  other: {{keys: [{{name: app, secret: other-key-0000000001}}]}}
  poor:
    limits: {{rpd: 1}}
    keys: [{{name: app, secret: poor-key-0000000001}}]
  single:
    limits: {{parallel: 1}}
    policy: {{queue_seconds: 30}}
    keys: [{{name: app, secret: single-key-0000000001}}]
platform:
  keys: [{{name: ops, secret: ops-key-0000000001, roles: [operator], tenants: all}}]
"""


@pytest.fixture(scope="module")
def gateway(each_mode: str, provider: ProviderStub) -> Iterator[GatewayServer]:
    """One process; and two, of which one is called and the other one asked."""
    told = CONFIGURATION.format(url=provider.url(), spare=provider.url("/spare"), secret=SECRET)
    with served_gateway(told) if each_mode == "embedded" else served_fleet(told, webs=2) as server:
        yield server
        assert " ERROR " not in server.log


def keyed(gateway: GatewayServer, tenant: str) -> Caller:
    return Caller(gateway, tenant, f"{tenant}-key-0000000001")


def call(caller: Caller, model: str, request: str, **members: Any) -> Answer:
    """A call at the first process."""
    body = hello(model, **{"messages": [{"role": "user", "content": CANARY}]} | members)
    return exchange(caller.gateway.webs[0].port, caller.request(body, request))


def ask(gateway: GatewayServer, request: str, **headers: str) -> Answer:
    """What the last process tells operators."""
    sent = {"Authorization": "Bearer ops-key-0000000001", **headers}
    address = f"/api/v1/manage/requests/{request}"
    return exchange(gateway.webs[-1].port, request_bytes("GET", address, sent))


def explained(gateway: GatewayServer, request: str, **headers: str) -> Any:
    """The one call of a request, which says nothing of what was asked or answered, nor any secret."""
    answer = ask(gateway, request, **headers)
    assert answer.status == 200, answer
    assert not any(word in answer.body for word in (CANARY.encode(), SECRET.encode(), b"key-0000000001"))
    told = answer.json()
    assert told["is_whole"]
    (one,) = told["calls"]
    return one


def booked(gateway: GatewayServer, request: str) -> Any:
    """The same, once its entry is in the ledger."""

    def look() -> Any:
        one = explained(gateway, request)
        return one if one["entry"] is not None else None

    found = eventually(look)
    assert found is not None
    return found


def test_who_took_over_is_told_with_the_entry(gateway: GatewayServer, provider: ProviderStub) -> None:
    name, request = fresh("ill"), fresh("why")
    provider.script(name, fails(503), replies(completion()))
    assert call(keyed(gateway, "acme"), f"pair/{name}", request).status == 200
    told = booked(gateway, request)
    assert [one["outcome"] for one in told["attempts"]] == ["provider_error", "ok"]
    assert len(told["candidates"]) == 2
    assert {"what": "ordered", "where": f"pair/{name}", "why": "priorities"} in told["decisions"]
    assert (told["status"], told["code"], told["entry"]["status"]) == (200, "", "settled")
    assert told["entry"]["id"] == told["id"]


def test_a_refused_call_is_told_though_it_has_no_entry(gateway: GatewayServer) -> None:
    caller, request = keyed(gateway, "poor"), fresh("why")
    call(caller, fresh("stub/any"), fresh("first"))
    assert call(caller, fresh("stub/any"), request).status == 429
    told = explained(gateway, request)
    assert (told["status"], told["code"], told["entry"]) == (429, "rate_limited", None)
    (decision,) = told["decisions"]
    assert (decision["what"], decision["where"]) == ("refused", "requests per day of tenant 'poor'")


def test_an_answer_that_was_kept_is_told(gateway: GatewayServer) -> None:
    caller, model = keyed(gateway, "acme"), fresh("stub/kept")
    hit = {"what": "cache", "where": "hit", "why": "exact"}

    def look() -> bool:
        request = fresh("why")
        call(caller, model, request, temperature=0)
        return hit in explained(gateway, request)["decisions"]

    assert eventually(look)


def test_calls_that_share_an_answer_are_told(gateway: GatewayServer, provider: ProviderStub) -> None:
    caller, name = keyed(gateway, "acme"), fresh("shared")
    provider.script(name, replies(completion(), gated=True))
    requests = [fresh("why") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(call, caller, f"stub/{name}", one, temperature=0) for one in requests]
        assert eventually(lambda: gateway.open_holds() == 2)
        provider.gate(name).open()
        assert {one.result().header("x-gateway-cache") for one in answers} == {"miss", "shared"}
    told = {one["cache"]: one for one in (explained(gateway, request) for request in requests)}
    leader = told["miss"]["id"]
    assert {"what": "joined", "where": "call", "why": leader} in told["shared"]["decisions"]
    assert {"what": "led", "where": "calls", "why": "1"} in told["miss"]["decisions"]


def test_a_call_that_waited_is_told_and_its_answer_says_so(
    gateway: GatewayServer, provider: ProviderStub
) -> None:
    caller = keyed(gateway, "single")

    def look() -> tuple[Answer, str] | None:
        """The second of two calls, where it came while the first was under way."""
        name, request = fresh("slow"), fresh("why")
        provider.script(name, replies(completion(), gated=True))
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(call, caller, f"stub/{name}", fresh("first"))
            assert eventually(lambda: provider.heard(name))
            second = pool.submit(call, caller, fresh("stub/free"), request)
            ask(gateway, request)
            provider.gate(name).open()
            assert {first.result().status, second.result().status} == {200}
        return (second.result(), request) if second.result().header("x-gateway-queue-wait-ms") else None

    found = eventually(look)
    assert found is not None
    answer, request = found
    assert answer.header("x-gateway-queue-position") == "1"
    told = explained(gateway, request)
    assert str(told["waited_ms"]) == answer.header("x-gateway-queue-wait-ms")
    assert told["decisions"][0]["where"] == "concurrency of tenant 'single'"


def test_the_same_id_of_two_tenants_is_told_apart(gateway: GatewayServer) -> None:
    request = fresh("same")
    for tenant in ("acme", "other"):
        assert call(keyed(gateway, tenant), "nobody/knows", request).status == 404
        assert explained(gateway, request, **{"X-Tenant-ID": tenant})["tenant"] == tenant
    assert len(ask(gateway, request).json()["calls"]) == 2


def test_what_nobody_knows_is_404(gateway: GatewayServer) -> None:
    answer = ask(gateway, fresh("unknown"))
    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_priority_is_a_whole_number(gateway: GatewayServer) -> None:
    caller = keyed(gateway, "acme")
    for text, status in (("-1000", 200), ("1000", 200), ("1001", 400), ("high", 400), ("1.5", 400)):
        answer = caller.post(hello(fresh("stub/any")), path=CHAT, **{"X-Gateway-Priority": text})
        assert answer.status == status, text
        if status == 400:
            assert json.loads(answer.body)["error"]["param"] == "X-Gateway-Priority"
