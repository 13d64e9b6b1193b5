"""Anthropic's wire: bytes pass through, counts become disjoint meters, failures become ours."""

import json
from typing import Any

import pytest

from gateway import errors
from gateway.call import Ask, Usage
from gateway.catalog import Secret
from gateway.wires.anthropic import build_request, read_failure, read_reply
from tests.support.anthropic_scripts import HELLO, METERS, message
from tests.support.engine import ask_of, make_deployment, make_provider

BODY = b'{ "model" : "m", "messages":[{"role":"user","content":"\\u00e9\\/"}], "new": {"x":1.50} }'


def _ask(body: bytes = BODY, **fields: Any) -> Ask:
    asked = {"dialect": "anthropic", "format": "anthropic", "operation": "message"}
    return ask_of(body, **asked | fields)


COUNT = _ask(kind="count", operation="count_tokens")


def test_a_body_goes_out_as_it_came() -> None:
    request = build_request(_ask(), make_deployment(upstream="m"))
    assert (request.url, request.body) == ("https://alpha.example/v1/messages", BODY)
    assert build_request(COUNT, make_deployment()).url == "https://alpha.example/v1/messages/count_tokens"


def test_only_the_model_is_edited_where_the_provider_names_it_otherwise() -> None:
    body = b'{"a":1.50,"model":"m","messages":[ {"content":"\\u00e9"} ],"z":[1e2]}'
    request = build_request(_ask(body), make_deployment(upstream="claude 5"))
    assert request.body == b'{"a":1.50,"model":"claude 5","messages":[ {"content":"\\u00e9"} ],"z":[1e2]}'


def test_the_providers_own_key_and_headers_go_along() -> None:
    provider = make_provider(secret=Secret("sk-made-up"), headers={"X-Team": "search"})
    headers = build_request(_ask(), make_deployment(provider=provider)).headers
    assert headers == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "anthropic-version": "2023-06-01",
        "x-team": "search",
        "x-api-key": "sk-made-up",
    }
    assert "x-api-key" not in build_request(_ask(), make_deployment()).headers


def test_betas_of_the_caller_and_of_the_provider_add_up() -> None:
    ask = _ask(headers={"anthropic-version": "2024-01-01", "anthropic-beta": "a-2025-01-01"})
    plain = build_request(ask, make_deployment()).headers
    assert (plain["anthropic-version"], plain["anthropic-beta"]) == ("2024-01-01", "a-2025-01-01")
    provider = make_provider(headers={"Anthropic-Beta": "b-2025-01-01", "anthropic-version": "2023-01-01"})
    both = build_request(ask, make_deployment(provider=provider)).headers
    assert (both["anthropic-version"], both["anthropic-beta"]) == ("2023-01-01", "b-2025-01-01,a-2025-01-01")


def test_an_answer_comes_back_untouched() -> None:
    body = message(HELLO)
    headers = {
        "content-type": "application/json; x=1",
        "request-id": "req_1",
        "anthropic-organization-id": "o",
    }
    reply = read_reply(_ask(), headers, body)
    assert (reply.body, reply.usage, reply.empty, reply.texts) == (body, Usage(**METERS), False, ())
    assert (reply.content_type, reply.headers) == ("application/json; x=1", {"request-id": "req_1"})
    assert (reply.service_tier, json.loads(reply.counts)) == ("standard", json.loads(body)["usage"])


@pytest.mark.parametrize("usage", [None, [1], {}, "x"])
def test_without_usage_the_words_are_kept_to_be_counted(usage: object) -> None:
    used = {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Paris"}}
    reply = read_reply(_ask(), {}, message(HELLO, used, usage=usage))
    assert (reply.usage, reply.service_tier) == (None, "")
    assert set(reply.texts) == {"Hello wide world", "weather", "Paris"}


@pytest.mark.parametrize(
    ("members", "empty"),
    [
        ({"stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 2}}, False),
        ({"stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 0}}, True),
        ({"stop_reason": "end_turn", "usage": None}, True),
        ({"stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 0}}, True),
        ({"stop_reason": "refusal", "usage": {"input_tokens": 9, "output_tokens": 0}}, False),
        ({"stop_reason": "max_tokens", "usage": {"input_tokens": 9, "output_tokens": 0}}, False),
    ],
)
def test_no_content_is_an_answer_if_it_was_meant(members: dict[str, Any], empty: bool) -> None:
    assert read_reply(_ask(), {}, message(**members)).empty is empty


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"content":null}', b'{"content":7}', b'{"x":"\xff"}']
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    for ask in (_ask(), COUNT):
        with pytest.raises(errors.ProviderMalformed):
            read_reply(ask, {}, body)


def test_an_answer_nested_too_deeply_is_malformed() -> None:
    with pytest.raises(errors.ProviderMalformed):
        read_reply(_ask(), {}, b'{"content":' + b"[" * 100_000)


def test_a_count_is_no_use() -> None:
    reply = read_reply(COUNT, {}, b'{"input_tokens":9}')
    assert (reply.body, reply.usage, reply.empty) == (b'{"input_tokens":9}', Usage(), False)


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, "prompt is too long: 208310 tokens > 200000 maximum", errors.ContextTooLong),
        (400, "input length and `max_tokens` exceed context limit: 1 + 2 > 2", errors.ContextTooLong),
        (400, "Output blocked by content filtering policy", errors.ContentRefused),
        (400, "max_tokens: must be greater than 0", errors.ProviderRejected),
        (413, "Request exceeds the maximum size", errors.ProviderRejected),
        (401, "invalid x-api-key", errors.ProviderRefusedKey),
        (429, "prompt is too long", errors.ProviderOverloaded),
        (529, "Overloaded", errors.ProviderError),
    ],
)
def test_a_failure_is_read_by_its_status_and_its_words(status: int, told: str, kind: type) -> None:
    body = json.dumps({"type": "error", "error": {"type": "x", "message": told}}).encode()
    failure = read_failure(status, {"retry-after": "7"}, body)
    assert type(failure) is kind
    assert (failure.message == told) is isinstance(failure, errors.ProviderRejected)
    assert failure.upstream_status == status
    if status >= 429:
        assert failure.retry_after == 7
    if status == 529:
        assert failure.status == 503
