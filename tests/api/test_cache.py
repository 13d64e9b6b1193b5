"""Kept answers at the doors: whole and streamed, in every dialect, and the rules they are given again by."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.support.caller import CHAT, Caller, fresh, hello
from tests.support.gateway_server import GatewayServer, served_fleet, served_gateway
from tests.support.keeping_gateways import CONFIGURATION, keyed
from tests.support.openai_clients import client_of
from tests.support.plain_doors import EMBEDDING, STREAMED, WHOLE, PlainDoor, events
from tests.support.provider_scripts import PIECES, completion, replies, streams
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, Line
from tests.support.socket_client import SocketClient
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def gateway(each_mode: str, provider: ProviderStub) -> Iterator[GatewayServer]:
    """One process, and two that share what they keep."""
    told = CONFIGURATION.format(url=provider.url(), claude=provider.url("/claude"))
    with served_gateway(told) if each_mode == "embedded" else served_fleet(told, webs=2) as server:
        yield server
        assert " ERROR " not in server.log


@pytest.fixture
def cold(gateway: GatewayServer) -> Caller:
    return keyed(gateway, "cold")


@pytest.fixture
def model() -> str:
    return fresh("stub/kept")


def asked(provider: ProviderStub, model: str) -> int:
    """How often the provider was, for a model."""
    return len(provider.heard(model.removeprefix("stub/")))


def told(answer: Answer) -> str | None:
    assert answer.status == 200, answer
    return answer.header("x-gateway-cache")


def until_hit(caller: Caller, body: bytes, path: str = CHAT, **headers: str) -> Answer:
    """The same call until it is answered from the cache: an answer is kept when it was given already."""

    def look() -> Answer | None:
        answer = caller.post(body, path=path, **headers)
        return answer if told(answer) == "hit" else None

    found = eventually(look)
    assert found is not None
    return found


def test_the_second_answer_is_free_and_booked(cold: Caller, provider: ProviderStub, model: str) -> None:
    body, request = hello(model, temperature=0), fresh("hit")
    first = cold.post(body)
    assert (told(first), first.json()["usage"]["from_cache"]) == ("miss", False)
    until_hit(cold, body)
    known = asked(provider, model)
    hit = cold.post(body, request)
    assert (told(hit), hit.json()["usage"]["from_cache"]) == ("hit", True)
    assert hit.header("x-gateway-cost-usd") == "0.000000000"
    assert hit.header("x-gateway-provider") == "stub"
    assert {**hit.json(), "usage": None} == {**first.json(), "usage": None}
    row = cold.entry(request)
    assert (row.status, row.charge_nano, row.meters) == ("cached", 0, {})
    assert asked(provider, model) == known
    assert eventually(cold.books_agree)


def test_without_a_temperature_of_0_each_answer_is_new(
    cold: Caller, provider: ProviderStub, model: str
) -> None:
    assert [told(cold.post(hello(model))) for _ in range(2)] == ["bypass", "bypass"]
    assert asked(provider, model) == 2


def test_unless_the_policy_says_all(gateway: GatewayServer, model: str) -> None:
    warm = keyed(gateway, "warm")
    assert told(warm.post(hello(model))) == "miss"
    until_hit(warm, hello(model))


def test_or_the_caller_asks_for_it(cold: Caller, gateway: GatewayServer, model: str) -> None:
    wish = {"X_Gateway_Cache": "ttl=60"}
    assert told(cold.post(hello(model), **wish)) == "miss"
    until_hit(cold, hello(model), **wish)
    closed = keyed(gateway, "closed")
    assert [told(closed.post(hello(model), **wish)) for _ in range(2)] == ["bypass", "bypass"]


@pytest.mark.parametrize("wish", ["no-cache", "no-store"])
def test_a_caller_may_want_a_new_one(cold: Caller, provider: ProviderStub, model: str, wish: str) -> None:
    body = hello(model, temperature=0)
    cold.post(body)
    until_hit(cold, body)
    known = asked(provider, model)
    assert told(cold.post(body, X_Gateway_Cache=wish)) == "bypass"
    assert asked(provider, model) == known + 1


@pytest.mark.parametrize("wish", ["ttl", "ttl=0", "ttl=-1", "ttl=x", "ttl=99999999", "always", "ttl=1;x"])
def test_a_wish_that_is_none_is_refused(cold: Caller, model: str, wish: str) -> None:
    answer = cold.post(hello(model), X_Gateway_Cache=wish)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "X-Gateway-Cache"


def test_a_stream_is_told_again_to_its_end(cold: Caller, model: str) -> None:
    body = hello(model, temperature=0, stream=True, stream_options={"include_usage": True})
    first = cold.post(body)
    again = until_hit(cold, body)
    assert again.body == first.body
    assert again.body.endswith(b"data: [DONE]\n\n")


def test_openais_client_reads_both(cold: Caller, model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    with client_of(cold) as client:
        for stream in (False, True):
            client.chat.completions.create(**body, stream=stream)
        assert eventually(lambda: _from_cache(client, body))
        texts = [
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(**body, stream=True)
        ]
    assert "".join(texts) == "".join(PIECES)


def _from_cache(client: openai.OpenAI, body: dict[str, Any]) -> bool:
    usage = client.chat.completions.create(**body).usage
    return usage is not None and usage.model_dump()["from_cache"] is True


def test_who_leaves_while_it_is_told_again_is_booked(
    cold: Caller, provider: ProviderStub, model: str
) -> None:
    provider.script(model.removeprefix("stub/"), streams(["x" * 60_000] * 10))
    body, request = hello(model, temperature=0, stream=True), fresh("gone")
    cold.post(body)
    until_hit(cold, body)
    with Line(cold.gateway.port) as line:
        line.send(cold.request(body, request))
        line.until(b"data: ")
    assert cold.entry(request).status == "cached"
    assert eventually(cold.books_agree)


@pytest.mark.parametrize("door", [*WHOLE, *STREAMED], ids=str)
def test_every_plain_door_has_it(gateway: GatewayServer, door: PlainDoor) -> None:
    warm, model = keyed(gateway, "warm"), fresh("stub/plain")
    first = warm.post(door.body(model), path=door.path)
    again = until_hit(warm, door.body(model), door.path)
    if door in STREAMED:
        assert _text(events(again)) == _text(events(first)) == "".join(PIECES)
        assert events(again)[-2:] == events(first)[-2:]
    elif "cached" in (said := again.json()):
        assert (said["cached"], said["cost"]) == (True, 0)


def _text(told: list[Any]) -> str:
    pieces = [one for one in told if isinstance(one, dict)]
    return "".join(one.get("text", "") + one.get("chunk", "") for one in pieces)


def test_the_third_dialect_asks_for_it_unless_it_is_to_be_new(
    cold: Caller, provider: ProviderStub, model: str
) -> None:
    body = {"prompt": "hello", "model": model}
    first = cold.post(json.dumps(body).encode(), path="/query")
    assert (told(first), first.json()["cached"]) == ("miss", False)
    again = until_hit(cold, json.dumps(body).encode(), "/query").json()
    assert (again["cached"], again["cost"], again["tokens_used"]) == (True, 0, first.json()["tokens_used"])
    known = asked(provider, model)
    fresher = cold.post(json.dumps({**body, "force_refresh": True}).encode(), path="/query")
    assert (told(fresher), fresher.json()["cached"]) == ("bypass", False)
    assert asked(provider, model) == known + 1


@pytest.mark.parametrize("door", EMBEDDING, ids=str)
def test_vectors_are_the_same_again(cold: Caller, door: PlainDoor) -> None:
    text: Any = [fresh("text")] if door.prompt == "texts" else fresh("text")
    body = json.dumps({door.prompt: text}).encode()
    first = cold.post(body, path=door.path)
    assert told(first) == "miss"
    assert until_hit(cold, body, door.path).json() == first.json()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_anthropics_door_has_it(gateway: GatewayServer, stream: bool) -> None:
    warm = keyed(gateway, "warm")
    body = hello(fresh("claude/kept"), max_tokens=20, stream=stream)
    first = warm.post(body, path="/v1/messages")
    assert until_hit(warm, body, "/v1/messages").body == first.body


def test_what_anthropics_headers_ask_is_another_ask(gateway: GatewayServer) -> None:
    warm, body = keyed(gateway, "warm"), hello(fresh("claude/kept"), max_tokens=20)
    for _ in range(4):
        until_hit(warm, body, "/v1/messages")
    assert told(warm.post(body, path="/v1/messages", anthropic_version="2023-01-01")) == "miss"
    assert told(warm.post(body, path="/v1/messages")) == "hit"


def test_the_socket_has_it(gateway: GatewayServer, model: str) -> None:
    with SocketClient(gateway.port, "cold-key-0000000001") as socket:
        first = socket.answer("a", model, prompt="hello", temperature=0)
        assert first["cached"] is False
        assert eventually(lambda: socket.answer("b", model, prompt="hello", temperature=0)["cached"])
        assert socket.answer("c", model, prompt="hello", temperature=0, cache="no-cache")["cached"] is False
        assert socket.answer("d", model, prompt="hello", cache="ttl=60")["cached"] is False
        assert eventually(lambda: socket.answer("e", model, prompt="hello", cache="ttl=60")["cached"])


def test_no_tenant_gets_what_another_was_told(
    gateway: GatewayServer, cold: Caller, provider: ProviderStub, model: str
) -> None:
    name, body = model.removeprefix("stub/"), hello(model, temperature=0)
    provider.script(name, replies(completion("canary")), replies(completion("other")))
    for _ in range(4):  # by then each process has read this body and remembers what it asks
        until_hit(cold, body)
    answer = keyed(gateway, "other").post(body)
    assert told(answer) == "miss"
    assert b"canary" not in answer.body
    assert told(keyed(gateway, "closed").post(body)) == "bypass"
    assert b"canary" in cold.post(body).body


def test_one_body_asks_something_else_at_another_door(cold: Caller, model: str) -> None:
    body = hello(model, temperature=0, prompt="hello")
    for _ in range(4):
        until_hit(cold, body)
    assert told(cold.post(body, path="/v1/completions")) == "miss"
    assert told(cold.post(body)) == "hit"


def test_limits_of_requests_count_hits(gateway: GatewayServer, model: str) -> None:
    few, body = keyed(gateway, "few"), hello(model, temperature=0)
    answers = [few.post(body) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert [told(answer) for answer in (answers[0], answers[2])] == ["miss", "hit"]
    answer = answers[3]
    assert (answer.status, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert eventually(lambda: len(few.entries()) == 3)


def test_those_who_come_together_have_one_answer_to_pay_for(
    cold: Caller, provider: ProviderStub, model: str, each_mode: str
) -> None:
    """Processes wait for each other; within one, calls that come at once are each made."""
    name, body = model.removeprefix("stub/"), hello(model, temperature=0)
    provider.script(name, replies(completion(), gated=True))
    ports = [web.port for web in cold.gateway.webs]
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(cold.post, body)]
        assert provider.wait_for(lambda: bool(provider.heard(name)), 10)
        if len(ports) > 1:
            calls.append(pool.submit(cold.post, body))
        provider.gate(name).open(2)
        answers = [call.result() for call in calls]
    assert sorted([told(answer) or "" for answer in answers]) == ["hit", "miss"][-len(answers) :]
    assert provider.wait_for(lambda: provider.bill(name).calls == 1)


def test_prompts_that_mean_the_same_have_one_answer(gateway: GatewayServer, provider: ProviderStub) -> None:
    meaning, model = keyed(gateway, "meaning"), fresh("stub/meant")
    vector = json.dumps({"data": [{"index": 0, "embedding": [1, 0]}], "usage": {"prompt_tokens": 3}})
    provider.script("vectors", replies(vector.encode(), prompt_tokens=3, completion_tokens=0))
    first, second = [
        json.dumps(
            {"model": model, "temperature": 0, "messages": [{"role": "user", "content": fresh(text)}]}
        ).encode()
        for text in ("red", "crimson")
    ]
    assert told(meaning.post(first)) == "miss"
    request = fresh("meant")
    until_hit(meaning, first)
    known = asked(provider, model)
    assert told(meaning.post(second, request)) == "hit"
    assert asked(provider, model) == known
    rows = eventually(lambda: _both(meaning, request))
    assert sorted((row.kind, row.status, row.charge_nano) for row in rows) == [
        ("chat", "cached", 0),
        ("embedding", "settled", 3_000),
    ]


def _both(caller: Caller, request: str) -> list[Any]:
    rows = caller.gateway.ledger(tenant=caller.tenant, request=request)
    return rows if len(rows) == 2 else []
