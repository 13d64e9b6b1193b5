"""Messages in Anthropic's format: bytes through both ways, its errors, its list of models."""

import json
import re
from typing import Any

import pytest

from api.dialects.anthropic import parse_count, parse_message
from tests.api.conftest import Calling
from tests.support.anthropic_calls import COUNT, MESSAGES, asked, only_heard, refused
from tests.support.anthropic_scripts import (
    answer_anthropic,
)
from tests.support.caller import Caller, fresh
from tests.support.gateways import PROVIDER_SECRET
from tests.support.provider_scripts import replies
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.small_configurations import INPUT_NANO

ODD_MEMBERS = (
    rb'"system":[ {"type":"text","text":"caf\u00e9 \/","cache_control":{"type":"ephemeral","ttl":"1h"}} ]',
    rb'"messages":[ {"role":"user","content":[{"type":"text","text":"\ud83d\ude00"},'
    rb'{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO\/=="}},'
    rb'{"type":"document","source":{"type":"url","url":"https:\/\/x"}, "citations":{"enabled":true}}]} ]',
    b'"tools":[{"name":"t","input_schema":{"type":"object"},"strict":true}]',
    b'"thinking":{"type":"enabled","budget_tokens":1.024e3}',
    rb'"unheard_of":{"deep":[1.0, -0, 1E+2, null, "\u003c\u00e9"], "a": {} }',
    b'"temperature":1e0',
)


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("agent")


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
def test_members_arrive_byte_for_byte_and_only_the_model_is_another(
    caller: Caller, provider: ProviderStub, path: str
) -> None:
    name = fresh("odd")
    body = b'{ "model" : "claude/%b",\n "max_tokens":2000,%b}' % (name.encode(), b",".join(ODD_MEMBERS))
    assert caller.post(body, path=f"{path}?beta=true").status == 200
    heard = only_heard(provider, name)
    assert (heard.path, heard.asked["model"]) == (f"/claude{path}", name)
    for member in ODD_MEMBERS:
        assert member in heard.body
    assert list(heard.asked) == list(json.loads(body))


def test_a_message_comes_back_byte_for_byte(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("answer")
    body = rb'{ "content":[{"type":"text","text":"\u00e9\/"}],"usage":{"input_tokens":3},"x":1E5}'
    headers = [("content-type", "application/json"), ("request-id", "req_1"), ("set-cookie", "a=b")]
    provider.script(name, replies(body, headers=headers))
    answer = caller.post(asked(f"claude/{name}"), path=MESSAGES)
    assert (answer.status, answer.body) == (200, body)
    assert (answer.header("request-id"), answer.header("set-cookie")) == ("req_1", None)
    assert answer.header("x-gateway-provider") == "claude"


def test_what_the_provider_is_told_of_the_caller(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("headers")
    betas = ("interleaved-thinking-2025-05-14", "claude-code-20250219", "context-management-2025-06-27")
    others = ("fast-mode-2026-02-01", "context-1m-2025-08-07", "effort", "not a beta", "")
    answer = caller.post(
        asked(f"claude/{name}"),
        path=MESSAGES,
        anthropic_version="2024-10-22",
        anthropic_beta=", ".join([*betas, *others, betas[0]]),
        Cookie="session=callers",
        user_agent="agent/1.0",
    )
    assert answer.status == 200
    headers = only_heard(provider, name).headers
    assert headers["x-api-key"] == PROVIDER_SECRET
    assert headers["anthropic-version"] == "2024-10-22"
    assert headers["anthropic-beta"] == ",".join(betas)
    assert not headers.keys() & {"cookie", "authorization", "user-agent", "x-request-id"}
    assert caller.key not in str(headers)


def test_what_a_message_asks_for_is_read_from_its_body() -> None:
    body = asked("m", max_tokens=0, stream=True, metadata={"user_id": "alice"})
    ask = parse_message(body, {b"anthropic-version": b"2024-10-22"})
    assert (ask.dialect, ask.format, ask.kind, ask.task) == ("anthropic", "anthropic", "chat", "message")
    assert (ask.model, ask.stream, ask.max_output, ask.end_user) == ("m", True, 0, "alice")
    assert (ask.body, ask.headers) == (body, {"anthropic-version": "2024-10-22"})
    plain = parse_message(asked("m"), {})
    assert (plain.stream, plain.max_output, plain.end_user, plain.headers) == (False, 50, "", {})
    count = parse_count(asked("m"), {})
    assert (count.kind, count.task, count.max_output) == ("count", "count_tokens", None)


def test_a_caller_without_a_version_speaks_the_usual_one(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("version")
    assert caller.post(asked(f"claude/{name}"), path=MESSAGES).status == 200
    headers = only_heard(provider, name).headers
    assert (headers["anthropic-version"], "anthropic-beta" in headers) == ("2023-06-01", False)


def test_an_empty_answer_is_tried_again(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("nothing"), fresh("nothing")
    nothing = {"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 0}}
    provider.script(name, replies(json.dumps(nothing).encode()), answer_anthropic)
    assert caller.post(asked(f"claude/{name}"), request, path=MESSAGES).status == 200
    assert caller.entry(request).outcomes == ["provider_empty", "ok"]


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"messages": None}, "messages: Expected `array`, got `null`"),
        ({"messages": []}, "messages: Expected `array` of length >= 1"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role: Field required"),
        ({"messages": [{"role": "user"}, 7]}, "messages.1: Expected `object`, got `int`"),
    ],
)
def test_what_is_wrong_is_said_in_anthropics_way(
    uncharged: Caller, path: str, members: dict[str, Any], message: str
) -> None:
    answer = uncharged.post(asked("claude/any", **members), path=path)
    assert refused(answer, 400, "invalid_request_error", "invalid_request") == message


def test_a_message_has_a_maximum_and_a_count_needs_none(uncharged: Caller) -> None:
    body = b'{"model":"claude/any","messages":[{"role":"user","content":"hello"}]%b}'
    answer = uncharged.post(body % b"", path=MESSAGES)
    assert refused(answer, 400, "invalid_request_error", "invalid_request") == "max_tokens: Field required"
    answer = uncharged.post(body % b',"max_tokens":-1', path=MESSAGES)
    assert refused(answer, 400, "invalid_request_error", "invalid_request").startswith("max_tokens: ")
    answer = uncharged.post(asked(7), path=MESSAGES)
    told = refused(answer, 400, "invalid_request_error", "invalid_request")
    assert told == "model: Expected `str | null`, got `int`"
    for bad in (b"", b"[]", b"{", b'{"a":' + b"[" * 100_000, b'{"model":"a","model":"b"}', b'{"x":"\xff"}'):
        assert uncharged.post(bad, path=MESSAGES).json()["error"]["type"] == "invalid_request_error"
    answer = uncharged.post(asked("claude/any"), path=MESSAGES, anthropic_version="2023-06-01\tx")
    assert "anthropic-version" in refused(answer, 400, "invalid_request_error", "invalid_request")


def test_refusals_stand_in_anthropics_envelope(uncharged: Caller, calling: Calling) -> None:
    stranger = Caller(uncharged.gateway, "", "nobody")
    refused(stranger.post(asked("claude/any"), path=MESSAGES), 401, "authentication_error", "invalid_api_key")
    wrong = exchange(uncharged.gateway.port, request_bytes("GET", MESSAGES), "GET")
    refused(wrong, 405, "invalid_request_error", "method_not_allowed")
    long = asked("claude/any", messages=[{"role": "user", "content": "x" * 5_000_000}])
    refused(uncharged.post(long, path=MESSAGES), 413, "request_too_large", "request_too_large")
    poor = calling("poor").post(asked("claude/any"), path=MESSAGES)
    assert "'poor'" in refused(poor, 429, "rate_limit_error", "budget_exceeded")
    assert int(poor.header("retry-after") or "") >= 1
    used = asked("claude/any", tools=[{"type": "code_execution_20260521", "name": "code_execution"}])
    refused(uncharged.post(used, path=MESSAGES), 400, "invalid_request_error", "unbounded_cost")


def test_a_key_in_either_header_is_one(caller: Caller) -> None:
    for named in ({"x-api-key": caller.key}, {"Authorization": f"Bearer {caller.key}"}):
        asking = request_bytes("POST", MESSAGES, named, asked("claude/key"))
        assert exchange(caller.gateway.port, asking).status == 200


def test_a_prompt_is_held_with_what_is_not_written_in_it(calling: Calling) -> None:
    """Tools of Anthropic's own making, and pictures, are more than their bytes."""
    brief = calling("brief")
    bash = asked("claude/any", max_tokens=1, tools=[{"type": "bash_20250124", "name": "bash"}])
    refused(brief.post(bash, path=MESSAGES), 429, "rate_limit_error", "rate_limited")


def test_models_are_told_in_the_words_of_who_asks(caller: Caller) -> None:
    """Anthropic's clients name a version; everybody else is told as by OpenAI."""

    def read(path: str, **named: str) -> Answer:
        return exchange(caller.gateway.port, request_bytes("GET", path, caller.headers(**named)), "GET")

    listed = read("/v1/models?limit=1000", anthropic_version="2023-06-01").json()
    assert set(listed) == {"data", "has_more", "first_id", "last_id"}
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "echo", "small")
    assert set(listed["data"][0]) == {"type", "id", "display_name", "created_at"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed["data"][0]["created_at"])
    assert read("/v1/models/small", anthropic_version="2023-06-01").json()["type"] == "model"
    assert read("/v1/models").json()["object"] == "list"
    assert read("/v1/models/small").json()["object"] == "model"
    gone = read("/v1/models/nobody-has-this", anthropic_version="2023-06-01")
    refused(gone, 404, "not_found_error", "model_not_found")
    nowhere = read("/v1/complete", anthropic_version="2023-06-01")
    assert "/v1/complete" in refused(nowhere, 404, "not_found_error", "not_found")
    assert "param" in read("/v1/complete").json()["error"]


def test_uncached_words_cost_what_words_cost(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("plain"), fresh("plain")
    used = {"input_tokens": 7, "output_tokens": 0}
    provider.script(
        name, replies(json.dumps({"content": [], "stop_reason": "refusal", "usage": used}).encode())
    )
    assert caller.post(asked(f"claude/{name}"), request, path=MESSAGES).status == 200
    assert caller.entry(request).charge_nano == 7 * INPUT_NANO
