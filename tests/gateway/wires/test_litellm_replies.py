"""Whole answers of other providers, their counts and their errors, for those who speak OpenAI's format."""

import json
from contextlib import suppress
from typing import Any

import pytest

from gateway import errors
from gateway.call import Ask, Reply, Usage
from gateway.catalog import Deployment
from gateway.translation.counts import bedrock_usage, cohere_usage, gemini_usage, ollama_usage
from tests.gateway.wires.litellm_form import QUESTION, TOOLS, deployed, openai_ask, translated
from tests.gateway.wires.litellm_shapes import SHAPES

pytestmark = pytest.mark.usefixtures("litellm_at_hand")
EACH = pytest.mark.parametrize("name", SHAPES)


def _deployed(name: str) -> Deployment:
    return deployed(SHAPES[name].upstream, SHAPES[name].wire)


def _asked(**members: Any) -> Ask:
    return openai_ask({**QUESTION, "tools": TOOLS, **members})


def _reply(name: str, body: bytes = b"", **members: Any) -> Reply:
    ask = _asked(**members)
    return translated(ask, _deployed(name)).read_reply(ask, {}, body or SHAPES[name].whole)


@EACH
def test_an_answer_is_told_in_openais_words(name: str) -> None:
    reply = _reply(name)
    told = json.loads(reply.body)
    (choice,) = told["choices"]
    message = choice["message"]
    (call,) = message["tool_calls"]
    assert told["object"] == "chat.completion"
    assert choice["finish_reason"] == "tool_calls"
    assert (message["role"], message["content"]) == ("assistant", "Hello wide")
    assert message["reasoning_content"] == "Hmm."
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert call["id"]
    assert set(call) == {"id", "type", "function"}
    assert not reply.empty


@EACH
def test_counts_are_the_providers_in_disjoint_meters_and_told_again(name: str) -> None:
    reply, usage = _reply(name), SHAPES[name].usage
    told = json.loads(reply.body)["usage"]
    assert reply.usage == usage
    assert json.loads(reply.counts) == told
    assert told["prompt_tokens"] == usage.prompt_tokens
    assert told["completion_tokens"] == usage.tokens - usage.prompt_tokens
    assert told["total_tokens"] == usage.tokens
    assert told.get("prompt_tokens_details", {}).get("cached_tokens", 0) == usage.cache_read
    assert told.get("completion_tokens_details", {}).get("reasoning_tokens", 0) == usage.reasoning


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}, Usage(input=5, output=2)),
        # Thoughts beside the answer, as many as there are cached tokens: the total is no riddle.
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 4,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 4,
                "totalTokenCount": 15,
            },
            Usage(input=5, cache_read=4, output=2, reasoning=4),
        ),
        # Thoughts within the answer.
        (
            {
                "promptTokenCount": 5,
                "candidatesTokenCount": 6,
                "thoughtsTokenCount": 4,
                "totalTokenCount": 11,
            },
            Usage(input=5, output=2, reasoning=4),
        ),
        # Nothing but thoughts, up to the maximum.
        (
            {"promptTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 9},
            Usage(input=5, reasoning=4),
        ),
        (
            {
                "promptTokenCount": 5,
                "toolUsePromptTokenCount": 3,
                "candidatesTokenCount": 2,
                "totalTokenCount": 10,
            },
            Usage(input=8, output=2),
        ),
        (
            {
                "promptTokenCount": 30,
                "cachedContentTokenCount": 8,
                "candidatesTokenCount": 2,
                "totalTokenCount": 32,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 20},
                    {"modality": "TEXT", "tokenCount": 10},
                ],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 8}],
            },
            Usage(input=10, cache_read=8, audio_in=12, output=2),
        ),
        ({"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 4}, None),
        ({"promptTokenCount": -5, "candidatesTokenCount": 2}, None),
        ({}, None),
    ],
)
def test_geminis_counts(counts: dict[str, Any], usage: Usage | None) -> None:
    read = gemini_usage(counts)
    assert read == usage if usage is not None else read is None or read.doubtful


def test_amazons_counts_by_how_long_a_cache_lives() -> None:
    counts = {
        "inputTokens": 10,
        "outputTokens": 2,
        "cacheWriteInputTokens": 7,
        "cacheDetails": [{"inputTokens": 5, "ttl": "1h"}, {"inputTokens": 2, "ttl": "5m"}],
    }
    assert bedrock_usage(counts) == Usage(input=10, cache_write_5m=2, cache_write_1h=5, output=2)


def test_cohere_is_paid_what_it_bills_and_else_what_it_counts() -> None:
    tokens = {"input_tokens": 80, "output_tokens": 12}
    assert cohere_usage(
        {"billed_units": {"input_tokens": 17, "output_tokens": 12}, "tokens": tokens}
    ) == Usage(input=17, output=12)
    assert cohere_usage({"tokens": tokens}) == Usage(input=80, output=12)
    assert cohere_usage({}) is None


def test_ollama_leaves_out_a_prompt_that_was_in_memory() -> None:
    assert ollama_usage({"eval_count": 3}) == Usage(input=0, output=3)
    assert ollama_usage({}) is None


@EACH
def test_without_counts_what_was_said_is_kept_to_be_counted(name: str) -> None:
    told = json.loads(SHAPES[name].whole)
    for counts in ("usage", "usageMetadata", "prompt_eval_count", "eval_count"):
        told.pop(counts, None)
    reply = _reply(name, json.dumps(told).encode())
    assert reply.usage is None
    assert "usage" not in json.loads(reply.body)
    assert "Hello wide" in reply.texts


@EACH
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[1]", b'"x"', b"<html>", b'{"message": 5}', b'{"candidates": 5}', b"\xff", b"[" * 9999],
)
def test_what_is_no_answer_is_none(name: str, body: bytes) -> None:
    ask = _asked()
    wire = translated(ask, _deployed(name))
    answered = False
    with suppress(errors.ProviderMalformed):
        answered = not wire.read_reply(ask, {}, body).empty
    assert not answered


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("anthropic", {"type": "error", "error": {"type": "invalid_request_error", "message": "too hot"}}),
        ("gemini", {"error": {"code": 400, "message": "too hot", "status": "INVALID_ARGUMENT"}}),
        ("bedrock", {"message": "too hot"}),
        ("cohere", {"id": "1", "message": "too hot"}),
        ("ollama", {"error": "too hot"}),
    ],
)
def test_a_refused_request_is_told_in_the_providers_words(name: str, body: dict[str, Any]) -> None:
    ask = _asked()
    wire = translated(ask, _deployed(name))
    failure = wire.read_failure(400, {}, json.dumps(body).encode())
    assert isinstance(failure, errors.ProviderRejected)
    assert (failure.message, failure.upstream_status) == ("too hot", 400)


@EACH
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.ProviderRefusedKey),
        (403, errors.ProviderRefusedKey),
        (404, errors.ProviderRefusedKey),
        (429, errors.ProviderOverloaded),
        (500, errors.ProviderError),
        (503, errors.ProviderError),
        (504, errors.ProviderTimeout),
    ],
)
def test_a_status_means_what_it_means_with_any_wire(name: str, status: int, kind: type[Exception]) -> None:
    ask = _asked()
    wire = translated(ask, _deployed(name))
    failure = wire.read_failure(
        status, {"retry-after": "3"}, b'{"message": "the key made-up-secret is wrong"}'
    )
    assert type(failure) is kind
    assert "made-up-secret" not in failure.message
    assert failure.retry_after == 3.0


def test_an_answer_cut_at_its_maximum_says_so() -> None:
    for name, reason, told in [
        ("cohere", "finish_reason", "MAX_TOKENS"),
        ("ollama", "done_reason", "length"),
        ("anthropic", "stop_reason", "max_tokens"),
        ("bedrock", "stopReason", "max_tokens"),
    ]:
        body = {**json.loads(SHAPES[name].whole), reason: told}
        if name == "ollama":
            body["message"].pop("tool_calls")
        assert (
            json.loads(_reply(name, json.dumps(body).encode()).body)["choices"][0]["finish_reason"]
            == "length"
        )


def test_tools_whose_names_anthropic_does_not_take_keep_theirs() -> None:
    tool = {"type": "function", "function": {"name": "me/weather now", "parameters": {"type": "object"}}}
    ask, deployment = _asked(tools=[tool]), _deployed("anthropic")
    wire = translated(ask, deployment)
    sent = json.loads(wire.build_request(ask, deployment).body)["tools"][0]["name"]
    body = SHAPES["anthropic"].whole.replace(b"weather", sent.encode())
    told = json.loads(wire.read_reply(ask, {}, body).body)
    assert sent != "me/weather now"
    assert told["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "me/weather now"
