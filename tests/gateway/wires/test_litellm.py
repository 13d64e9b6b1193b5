"""Requests in OpenAI's format to providers of another: what goes out to each of them."""

import json
from typing import Any

import pytest

from gateway.errors import NoProvider
from gateway.wires import wire_for
from tests.gateway.wires.litellm_form import QUESTION, SECRET, TOOLS, deployed, openai_ask, sent_body
from tests.gateway.wires.litellm_shapes import SHAPES

PICTURE = "iVBORw0KGgo="
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
FORMATTED = {
    "type": "json_schema",
    "json_schema": {"name": "person", "strict": True, "schema": SCHEMA},
}
LOOP = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How is it in Paris?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
]
SHOWN = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is that?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        ],
    }
]
pytestmark = pytest.mark.usefixtures("litellm_at_hand")
EACH = pytest.mark.parametrize("name", SHAPES)


def _sent(name: str, **members: Any) -> Any:
    shape = SHAPES[name]
    return sent_body(openai_ask({**QUESTION, **members}), deployed(shape.upstream, shape.wire))


def _at(body: Any, *path: Any) -> Any:
    for step in path:
        body = body[step]
    return body


@pytest.mark.parametrize(
    ("name", "url", "key"),
    [
        ("anthropic", "https://api.anthropic.com/v1/messages", ("x-api-key", SECRET)),
        (
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            ("x-goog-api-key", SECRET),
        ),
        (
            "bedrock",
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/"
            "anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            ("authorization", f"Bearer {SECRET}"),
        ),
        ("cohere", "https://api.cohere.com/v2/chat", ("authorization", f"Bearer {SECRET}")),
        ("ollama", "http://localhost:11434/api/chat", ("authorization", f"Bearer {SECRET}")),
    ],
)
def test_each_provider_is_asked_at_its_address_with_its_key(
    name: str, url: str, key: tuple[str, str]
) -> None:
    ask, deployment = openai_ask(), deployed(SHAPES[name].upstream, SHAPES[name].wire)
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    request = wire.build_request(ask, deployment)
    assert request.url == url
    assert request.headers[key[0]] == key[1]
    assert request.headers["content-type"] == "application/json"
    assert SECRET.encode() not in request.body
    assert "content-length" not in request.headers


def test_an_address_of_its_own_and_headers_of_a_row_are_used() -> None:
    ask, deployment = openai_ask(), deployed("gemini/../x?y", base_url="http://here")
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    assert wire.build_request(ask, deployment).url == "http://here/models/..%2Fx%3Fy:generateContent"


@EACH
def test_without_a_key_none_is_looked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "CO_API_KEY",
        "COHERE_API_KEY",
        "AWS_ACCESS_KEY_ID",
    ):
        monkeypatch.setenv(variable, "of-this-machine")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-this-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-this-machine")
    ask, deployment = openai_ask(), deployed(SHAPES[name].upstream, SHAPES[name].wire, secret="")
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    assert "of-this-machine" not in str(wire.build_request(ask, deployment))


def test_nor_is_a_token_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "of-this-machine")
    ask, deployment = openai_ask(), deployed("claude-sonnet-4-5", "anthropic", secret="")
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    assert "of-this-machine" not in str(wire.build_request(ask, deployment))


def test_a_pair_of_keys_signs_a_request_to_amazon() -> None:
    ask = openai_ask()
    deployment = deployed(
        SHAPES["bedrock"].upstream, secret="AKIDEXAMPLE:made-up:session", region="us-east-2"
    )
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    headers = wire.build_request(ask, deployment).headers
    scope = headers["authorization"].partition("Credential=AKIDEXAMPLE/")[2]
    assert scope[8:].startswith("/us-east-2/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date")
    assert headers["x-amz-security-token"] == "session"
    assert "made-up" not in str(headers)


def test_a_deployment_at_amazon_needs_a_region() -> None:
    with pytest.raises(NoProvider):
        sent_body(openai_ask(), deployed(SHAPES["bedrock"].upstream, region=""))
    base_url = "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert sent_body(openai_ask(), deployed(SHAPES["bedrock"].upstream, base_url=base_url, region=""))


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("anthropic", ("messages", 1, "content", 0, "input"), {"city": "Paris"}),
        ("anthropic", ("messages", 2, "content", 0, "tool_use_id"), "call_1"),
        ("anthropic", ("tools", 0, "input_schema", "required"), ["city"]),
        ("gemini", ("contents", 1, "parts", 0, "function_call", "args"), {"city": "Paris"}),
        ("gemini", ("contents", 2, "parts", 0, "function_response", "name"), "weather"),
        ("gemini", ("tools", 0, "function_declarations", 0, "parameters", "required"), ["city"]),
        ("bedrock", ("messages", 1, "content", 0, "toolUse", "input"), {"city": "Paris"}),
        ("bedrock", ("messages", 2, "content", 0, "toolResult", "toolUseId"), "call_1"),
        ("bedrock", ("toolConfig", "tools", 0, "toolSpec", "inputSchema", "json", "required"), ["city"]),
        ("cohere", ("messages", 2, "tool_calls", 0, "function", "arguments"), '{"city": "Paris"}'),
        ("cohere", ("messages", 3, "tool_call_id"), "call_1"),
        ("cohere", ("tools", 0, "function", "parameters", "required"), ["city"]),
        ("ollama", ("messages", 2, "tool_calls", 0, "function", "arguments"), {"city": "Paris"}),
        ("ollama", ("messages", 3, "content"), "sunny"),
        ("ollama", ("tools", 0, "function", "parameters", "required"), ["city"]),
    ],
)
def test_tools_go_round_in_a_loop(name: str, path: tuple[Any, ...], told: Any) -> None:
    assert _at(_sent(name, messages=LOOP, tools=TOOLS), *path) == told


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("anthropic", ("messages", 0, "content", 1, "source", "data")),
        ("gemini", ("contents", 0, "parts", 1, "inline_data", "data")),
        ("bedrock", ("messages", 0, "content", 1, "image", "source", "bytes")),
        ("ollama", ("messages", 0, "images", 0)),
    ],
)
def test_a_picture_is_shown(name: str, path: tuple[Any, ...]) -> None:
    assert _at(_sent(name, messages=SHOWN), *path) == PICTURE


def test_cohere_takes_a_picture_as_openai_does() -> None:
    assert _sent("cohere", messages=SHOWN)["messages"][0]["content"][1] == SHOWN[0]["content"][1]


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("anthropic", ("output_format", "schema"), SCHEMA),
        ("gemini", ("generationConfig", "response_json_schema"), SCHEMA),
        ("cohere", ("response_format", "schema"), SCHEMA),
        ("ollama", ("format",), SCHEMA),
    ],
)
def test_an_answer_is_held_to_a_schema(name: str, path: tuple[Any, ...], told: Any) -> None:
    assert _at(_sent(name, response_format=FORMATTED), *path) == told


def test_amazon_is_told_a_schema_as_text() -> None:
    told = _sent("bedrock", response_format=FORMATTED)["outputConfig"]["textFormat"]
    assert json.loads(told["structure"]["jsonSchema"]["schema"]) == SCHEMA


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("anthropic", ("thinking", "type"), "enabled"),
        ("gemini", ("generationConfig", "thinkingConfig", "includeThoughts"), True),
        ("bedrock", ("additionalModelRequestFields", "thinking", "type"), "enabled"),
        ("cohere", ("thinking", "type"), "enabled"),
        ("ollama", ("think",), True),
    ],
)
def test_an_effort_to_reason_is_asked_for(name: str, path: tuple[Any, ...], told: Any) -> None:
    assert _at(_sent(name, reasoning_effort="low", max_tokens=4000), *path) == told


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("anthropic", ("max_tokens",)),
        ("gemini", ("generationConfig", "max_output_tokens")),
        ("bedrock", ("inferenceConfig", "maxTokens")),
        ("cohere", ("max_tokens",)),
        ("ollama", ("options", "num_predict")),
    ],
)
@pytest.mark.parametrize("asked", ["max_tokens", "max_completion_tokens"])
def test_the_maximum_that_was_held_for_is_asked_for(name: str, path: tuple[Any, ...], asked: str) -> None:
    assert _at(_sent(name, **{asked: 33}), *path) == 33


async def test_a_format_that_needs_a_maximum_is_told_the_models_own() -> None:
    ask, deployment = openai_ask(), deployed("claude-sonnet-4-5", "anthropic")
    wire: Any = wire_for(ask, deployment.provider)
    await wire.prepare(ask, deployment, 77)
    assert json.loads(wire.build_request(ask, deployment).body)["max_tokens"] == 77
