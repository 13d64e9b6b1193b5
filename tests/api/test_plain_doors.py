"""What the doors of a prompt and a text do alike: one entry, an envelope of their own, the right status."""

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.plain_doors import EMBEDDING, EVERY, STREAMED, WHOLE, PlainDoor, events
from tests.support.provider_scripts import (
    COMPLETION_TOKENS,
    PIECES,
    PROMPT_TOKENS,
    completion,
    fails,
    replies,
    streams,
)
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line, exchange, request_bytes
from tests.support.waiting import eventually

every_door = pytest.mark.parametrize("door", EVERY, ids=str)
chatting = pytest.mark.parametrize("door", [*WHOLE, *STREAMED], ids=str)
streaming = pytest.mark.parametrize("door", STREAMED, ids=str)


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("plain")


@every_door
def test_a_call_is_one_entry(caller: Caller, door: PlainDoor) -> None:
    request = fresh("entry")
    answer = door.ask(caller, "stub/plain", request)
    assert answer.status == 200
    assert answer.header("x-request-id") == request
    assert answer.header("x-gateway-provider") == "stub"
    row = caller.entry(request)
    assert (row.status, row.model, bool(row.estimated)) == ("settled", "stub/plain", False)
    assert row.charge_nano > 0
    assert eventually(caller.books_agree)


@chatting
def test_the_provider_counts(caller: Caller, door: PlainDoor) -> None:
    """Streams too: their usage is asked for, whatever the caller's dialect has no word for."""
    request = fresh("counts")
    door.ask(caller, "stub/counts", request)
    assert caller.entry(request).meters == {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}


@chatting
def test_what_a_prompt_asks_for_reaches_the_provider(
    caller: Caller, provider: ProviderStub, door: PlainDoor
) -> None:
    name = fresh("asked")
    door.ask(caller, f"stub/{name}", temperature=0.5, max_tokens=20, unheard_of={"x": [1]})
    (heard,) = provider.heard(name)
    asked = heard.asked
    assert asked.pop("stream_options", None) in (None, {"include_usage": True})
    assert asked.pop("stream", False) is (door in STREAMED)
    assert asked == {
        "model": name,
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "max_tokens": 20,
    }


@every_door
def test_no_model_named_gets_the_default(caller: Caller, door: PlainDoor) -> None:
    answer = door.ask(caller, None)
    expected = "echo-embedding" if door in EMBEDDING else "echo"
    assert (answer.status, answer.header("x-gateway-model")) == (200, expected)


@every_door
@pytest.mark.parametrize(
    "body", [b"", b"hello", b'{"prompt":', b"[]", b"null", b'"hello"', b"\xff{}"], ids=repr
)
def test_what_is_no_json_object_is_400(uncharged: Caller, door: PlainDoor, body: bytes) -> None:
    door.error(uncharged.post(body, path=door.path), 400, "invalid_request")


@every_door
def test_half_a_surrogate_pair_is_no_internal_error(uncharged: Caller, door: PlainDoor) -> None:
    text = b'["\\ud800"]' if door.prompt == "texts" else b'"\\ud800"'
    body = b'{"%b":%b}' % (door.prompt.encode(), text)
    door.error(uncharged.post(body, path=door.path), 400, "invalid_request")


@every_door
@pytest.mark.parametrize("value", [None, 5, "", {}, [5], []], ids=repr)
def test_a_wrong_prompt_is_422_and_named(uncharged: Caller, door: PlainDoor, value: object) -> None:
    answer = uncharged.post(door.body(None, **{door.prompt: value}), path=door.path)
    told = door.error(answer, 422, "validation_failed")
    assert door.prompt in told["message"]


@every_door
def test_a_missing_prompt_is_422_and_named(uncharged: Caller, door: PlainDoor) -> None:
    told = door.error(uncharged.post(b"{}", path=door.path), 422, "validation_failed")
    assert door.prompt in told["message"]


@chatting
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", 5),
        ("temperature", "hot"),
        ("temperature", -1),
        ("temperature", 2.5),
        ("temperature", True),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_tokens", "10"),
        ("max_tokens", 10**30),
    ],
)
def test_a_wrong_value_is_422_and_named(uncharged: Caller, door: PlainDoor, name: str, value: object) -> None:
    answer = uncharged.post(door.body(None, **{name: value}), path=door.path)
    told = door.error(answer, 422, "validation_failed")
    assert name in told["message"]


@every_door
def test_an_unknown_model_is_404(uncharged: Caller, door: PlainDoor) -> None:
    told = door.error(door.ask(uncharged, "nobody-has-this"), 404, "model_not_found")
    assert "nobody-has-this" in told["message"]


@every_door
def test_a_model_of_another_kind_is_400(uncharged: Caller, door: PlainDoor) -> None:
    model = "echo" if door in EMBEDDING else "echo-embedding"
    assert model in door.error(door.ask(uncharged, model), 400, "invalid_request")["message"]


@every_door
def test_a_wrong_key_is_401(uncharged: Caller, door: PlainDoor) -> None:
    headers = {**uncharged.headers(), "Authorization": "Bearer sk-wrong"}
    answer = exchange(uncharged.gateway.port, request_bytes("POST", door.path, headers, door.body("echo")))
    door.error(answer, 401, "invalid_api_key")


@every_door
def test_another_tenant_is_403(uncharged: Caller, door: PlainDoor) -> None:
    answer = uncharged.post(door.body("echo"), path=door.path, X_Tenant_ID="poor")
    door.error(answer, 403, "forbidden")


@every_door
def test_another_method_is_405(uncharged: Caller, door: PlainDoor) -> None:
    answer = exchange(uncharged.gateway.port, request_bytes("GET", door.path, uncharged.headers()), "GET")
    door.error(answer, 405, "method_not_allowed")
    assert "POST" in (answer.header("allow") or "")


@every_door
def test_what_is_no_json_by_its_type_is_415(uncharged: Caller, door: PlainDoor) -> None:
    answer = uncharged.post(door.body("echo"), path=door.path, Content_Type="text/html")
    door.error(answer, 415, "unsupported_media_type")


@every_door
def test_json_is_read_whatever_its_hurried_type(caller: Caller, door: PlainDoor) -> None:
    answer = caller.post(
        door.body("stub/plain"), path=door.path, Content_Type="application/x-www-form-urlencoded"
    )
    assert answer.status == 200


@every_door
def test_a_used_up_budget_is_429_and_says_when_to_come_back(calling: Calling, door: PlainDoor) -> None:
    poor = calling("poor")
    answer = door.ask(poor, "stub/poor")
    assert "budget" in door.error(answer, 429, "budget_exceeded")["message"]
    assert int(answer.header("retry-after") or "") >= 1
    assert poor.entries() == []


@every_door
def test_a_broken_provider_is_502(caller: Caller, provider: ProviderStub, door: PlainDoor) -> None:
    name, request = fresh("broken"), fresh("broken")
    provider.script(name, fails(500))
    door.error(door.ask(caller, f"stub/{name}", request), 502, "provider_error")
    assert caller.entry(request).status == "failed"


@pytest.mark.parametrize("door", WHOLE, ids=str)
def test_an_answer_that_is_no_text_is_502(caller: Caller, provider: ProviderStub, door: PlainDoor) -> None:
    name = fresh("odd")
    provider.script(name, replies(b'{"choices":[{"message":"hello"}],"usage":{"prompt_tokens":1}}'))
    door.error(door.ask(caller, f"stub/{name}"), 502, "provider_malformed")


@pytest.mark.parametrize("door", WHOLE, ids=str)
def test_odd_figures_of_a_provider_are_no_internal_error(
    caller: Caller, provider: ProviderStub, door: PlainDoor
) -> None:
    name = fresh("odd")
    provider.script(name, replies(completion(usage={"prompt_tokens": None, "completion_tokens": "many"})))
    assert door.ask(caller, f"stub/{name}").status == 200


@streaming
def test_an_error_within_a_stream_is_its_last_event(
    caller: Caller, provider: ProviderStub, door: PlainDoor
) -> None:
    name, request = fresh("late"), fresh("late")
    provider.script(name, streams(error_after=2))
    told = events(door.ask(caller, f"stub/{name}", request))
    *pieces, last = told
    assert "".join(one.get("text", one.get("chunk")) for one in pieces) == "".join(PIECES[:2])
    assert door.opened(last)["request_id"] == request
    assert caller.entry(request).charge_nano > 0


@streaming
def test_a_stream_that_fails_before_its_first_text_is_taken_over(
    caller: Caller, provider: ProviderStub, door: PlainDoor
) -> None:
    name, request = fresh("taken"), fresh("taken")
    provider.script(name, streams(cut_after=0), streams())
    told = events(door.ask(caller, f"pair/{name}", request))
    assert "".join(one.get("text", one.get("chunk")) for one in told[:-1]) == "".join(PIECES)
    assert caller.entry(request).outcomes[-1] == "ok"


@streaming
def test_a_stream_without_any_text_ends_all_the_same(
    caller: Caller, provider: ProviderStub, door: PlainDoor
) -> None:
    name = fresh("silent")
    provider.script(name, streams(()))
    told = events(door.ask(caller, f"stub/{name}"))
    assert told[-1] == "[DONE]"
    assert len(told) == 2


@streaming
def test_a_stream_goes_out_as_it_comes(caller: Caller, provider: ProviderStub, door: PlainDoor) -> None:
    name = fresh("live")
    provider.script(name, streams(gated=True))
    with Line(caller.gateway.port) as line:
        line.send(caller.request(door.body(f"stub/{name}"), path=door.path))
        provider.gate(name).open()
        assert b"Hello" in line.until(b"\n\n")
        provider.gate(name).open(10)
        assert line.until(b"[DONE]\n\n")


@every_door
def test_a_repeated_key_is_answered_alike_and_costs_once(caller: Caller, door: PlainDoor) -> None:
    requests, key = (fresh("once"), fresh("once")), fresh("key")
    first, second = (
        caller.post(door.body("stub/once"), request, door.path, Idempotency_Key=key) for request in requests
    )
    assert (first.status, second.status) == (200, 200)
    assert caller.entry(requests[0]).status == "settled"
    assert caller.gateway.ledger(request=requests[1]) == []


NOWHERE = {
    "/api/v1/gateway/nothing": WHOLE[0],
    "/api/v1/nothing": WHOLE[1],
    "/api/v1/generate/stream": WHOLE[1],
    "/query/": WHOLE[2],
    "/chat/history": WHOLE[3],
    "/stream/1": STREAMED[-1],
    "/embeddings/1": EMBEDDING[-1],
    "/providers/openai": WHOLE[2],
    "/rate-limit/nothing": WHOLE[2],
}


@pytest.mark.parametrize(("path", "door"), NOWHERE.items(), ids=NOWHERE)
def test_an_address_that_is_not_there_is_404_in_its_neighbours_words(
    uncharged: Caller, path: str, door: PlainDoor
) -> None:
    told = door.error(uncharged.post(door.body("echo"), path=path), 404, "not_found")
    assert path in told["message"]
