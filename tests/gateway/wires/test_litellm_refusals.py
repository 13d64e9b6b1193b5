"""What of a request in OpenAI's format is left out, and what is refused, with providers of other formats."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wires import wire_for
from tests.gateway.wires.litellm_form import QUESTION, TOOLS, deployed, openai_ask, sent_body
from tests.gateway.wires.litellm_shapes import SHAPES

pytestmark = pytest.mark.usefixtures("litellm_at_hand")
EACH = pytest.mark.parametrize("name", SHAPES)


def _sent(name: str, **members: Any) -> Any:
    shape = SHAPES[name]
    return sent_body(openai_ask({**QUESTION, **members}), deployed(shape.upstream, shape.wire))


@EACH
def test_what_changes_nothing_is_left_out(name: str) -> None:
    idle: dict[str, Any] = {
        "user": "u",
        "store": False,
        "metadata": {"a": "b"},
        "logit_bias": {},
        "logprobs": False,
    }
    idle |= {
        "n": 1,
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "parallel_tool_calls": True,
        "tools": [],
    }
    idle |= {"service_tier": "auto", "response_format": {"type": "text"}, "seed": None, "tool_choice": "auto"}
    sent = json.dumps(_sent(name, **idle))
    assert "penalty" not in sent
    assert "logprobs" not in sent
    assert "response_format" not in sent


@EACH
@pytest.mark.parametrize(
    "member", ["logit_bias", "audio", "prediction", "something_new", "extra_headers", "extra_body"]
)
def test_what_a_format_has_no_place_for_is_refused_by_name(name: str, member: str) -> None:
    with pytest.raises(InvalidRequest, match=member) as refusal:
        _sent(name, **{member: {"1": 2}})
    assert refusal.value.param == member


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("anthropic", {"seed": 1}),
        ("anthropic", {"n": 2}),
        ("cohere", {"n": 2}),
        ("ollama", {"tool_choice": "required", "tools": TOOLS}),
        ("cohere", {"tool_choice": {"type": "function", "function": {"name": "weather"}}, "tools": TOOLS}),
        ("cohere", {"reasoning_effort": "ultimate"}),
    ],
)
def test_what_one_format_lacks_is_refused_there(name: str, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _sent(name, **members)
    assert refusal.value.param in members


@pytest.mark.parametrize("name", ["gemini", "bedrock", "cohere", "ollama"])
@pytest.mark.parametrize(
    "address", ["https://192.0.2.1/x.png", "http://[::1]/x", "gs://bucket/x", "/etc/passwd"]
)
def test_nobody_fetches_what_a_caller_points_at(name: str, address: str) -> None:
    part = {"type": "image_url", "image_url": {"url": address}}
    with pytest.raises(InvalidRequest, match="in the request"):
        _sent(name, messages=[{"role": "user", "content": [part]}])


def test_anthropic_fetches_a_picture_itself() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}
    body = _sent("anthropic", messages=[{"role": "user", "content": [part]}])
    assert body["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://example.org/x.png"}


@EACH
@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        "hello",
        [1],
        [{"role": "assistant", "content": None, "tool_calls": [{"secret words": 1}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:secret words"}}]}],
        [{"role": "tool", "content": {"secret words": 1}, "tool_call_id": 5}],
    ],
)
def test_messages_that_make_no_sense_are_the_callers_mistake_or_the_providers_to_judge(
    name: str, messages: Any
) -> None:
    told = ""
    try:
        _sent(name, messages=messages)
    except InvalidRequest as refusal:
        told = f"{refusal.message} {refusal.__cause__}"
    assert "secret words" not in told


def test_a_model_without_the_name_of_a_format_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="gemini/"):
        sent_body(openai_ask(), deployed("some-model"))


def test_what_is_no_translations_business_goes_nowhere() -> None:
    provider = deployed("gemini/x").provider
    assert wire_for(openai_ask(kind="speech"), provider) is None
    assert wire_for(openai_ask(kind="embedding"), deployed("x", "anthropic").provider) is None
