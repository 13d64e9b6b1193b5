"""Anthropic's dialect over providers of OpenAI's format, and over those that are translated themselves."""

import json
from typing import Any

import pytest

from gateway import errors
from gateway.call import Reply, Usage
from gateway.sse import encode_event
from gateway.wires import StreamReader, wire_for
from tests.gateway.wires.litellm_form import anthropic_ask, deployed, heard, one_by_one, sent_body, translated
from tests.gateway.wires.litellm_shapes import GEMINI, OLLAMA

pytestmark = pytest.mark.usefixtures("litellm_at_hand")

ASKED = {"model": "mine", "max_tokens": 90, "messages": [{"role": "user", "content": "Say hello."}]}
TOOL = {"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}}
HOST = deployed("gpt-5", "openai", base_url="http://here/v1")
COUNTS = {
    "prompt_tokens": 31,
    "completion_tokens": 12,
    "total_tokens": 43,
    "prompt_tokens_details": {"cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
USAGE = Usage(input=25, cache_read=6, output=7, reasoning=5)
TOLD = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 6,
    "output_tokens": 12,
}
CALLED = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
]


def _chunk(delta: dict[str, Any] | None, reason: str | None = None, **members: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5"}
    return encode_event(json.dumps({**told, "choices": choices, **members}).encode())


def _called(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": function}]}


STREAM = b"".join(
    [
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"reasoning_content": "Hmm."}),
        _chunk({"content": "Hello"}),
        _chunk({"content": " wide"}),
        _chunk(
            {
                "tool_calls": [
                    {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather"}}
                ]
            }
        ),
        _chunk(_called(arguments='{"city": ')),
        _chunk(_called(arguments='"Paris"}')),
        _chunk({}, "tool_calls"),
        _chunk(None, usage=COUNTS),
        encode_event(b"[DONE]"),
    ]
)


def _sent(**members: Any) -> Any:
    return sent_body(anthropic_ask({**ASKED, **members}), HOST)


def _opened() -> StreamReader:
    ask = anthropic_ask({**ASKED, "stream": True})
    return translated(ask, HOST).open_stream(ask)


def _reply(message: dict[str, Any], reason: str = "stop", usage: Any = COUNTS) -> Reply:
    ask = anthropic_ask(ASKED)
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]
    told = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-5", "choices": choices}
    body = json.dumps(told if usage is None else {**told, "usage": usage}).encode()
    return translated(ask, HOST).read_reply(ask, {"openai-version": "1"}, body)


def test_a_question_is_asked_at_the_providers_chats_with_its_model() -> None:
    ask = anthropic_ask(
        {**ASKED, "system": "Be brief.", "stop_sequences": ["x"], "metadata": {"user_id": "u"}}
    )
    wire = wire_for(ask, HOST.provider)
    assert wire is not None
    request = wire.build_request(ask, HOST)
    assert request.url == "http://here/v1/chat/completions"
    assert json.loads(request.body) == {
        "model": "gpt-5",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
        "max_tokens": 90,
        "stop": ["x"],
        "user": "u",
    }


def test_tools_thoughts_and_pictures_of_a_conversation_are_put_in_openais_words() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "What?"}, picture]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hmm.", "signature": "signed"},
                {"type": "text", "text": "Well,"},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
    ]
    choice = {"type": "any", "disable_parallel_tool_use": True}
    sent = _sent(messages=messages, tools=[TOOL], tool_choice=choice)
    asked, called, answered = sent["messages"]
    assert asked["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
    assert called["content"] == "Well,"
    assert json.loads(called["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
    assert set(called) == {"role", "content", "tool_calls"}
    assert answered == {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"}
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("required", False)


def test_a_schema_and_an_effort_are_asked_for() -> None:
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    sent = _sent(
        thinking={"type": "enabled", "budget_tokens": 2000},
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    assert sent["response_format"]["json_schema"]["schema"] == schema
    assert sent["reasoning_effort"] in {"low", "medium"}


def test_openai_itself_is_told_the_maximum_by_its_new_name() -> None:
    openai = deployed("gpt-5", "openai", base_url="https://api.openai.com/v1")
    sent = sent_body(anthropic_ask(ASKED), openai)
    assert sent["max_completion_tokens"] == 90
    assert "max_tokens" not in sent


@pytest.mark.parametrize("member", ["container", "mcp_servers", "context_management", "anything"])
def test_what_only_anthropic_has_is_refused_by_name(member: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=member):
        _sent(**{member: {"a": 1}})


def test_tools_that_anthropic_runs_are_refused() -> None:
    with pytest.raises(errors.InvalidRequest) as refusal:
        _sent(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert refusal.value.param == "tools"


@pytest.mark.parametrize("members", [{"messages": 5}, {"messages": [5]}, {"tools": [5]}, {"tool_choice": 5}])
def test_nonsense_is_the_callers_mistake(members: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        _sent(**members)


def test_an_answer_is_told_in_anthropics_words() -> None:
    reply = _reply({"content": "Hello", "reasoning_content": "Hmm.", "tool_calls": CALLED}, "tool_calls")
    told = json.loads(reply.body)
    thought, text, tool = told["content"]
    assert (told["type"], told["role"], told["model"], told["stop_reason"]) == (
        "message",
        "assistant",
        "mine",
        "tool_use",
    )
    assert told["id"].startswith("msg_")
    assert thought["thinking"] == "Hmm."
    assert text["text"] == "Hello"
    assert (tool["id"], tool["name"], tool["input"]) == ("call_1", "weather", {"city": "Paris"})
    assert told["usage"] == TOLD == json.loads(reply.counts)
    assert reply.usage == USAGE
    assert reply.headers == {}


@pytest.mark.parametrize(
    ("reason", "told"), [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")]
)
def test_why_it_stopped_is_told(reason: str, told: str) -> None:
    assert json.loads(_reply({"content": "Hello"}, reason).body)["stop_reason"] == told


def test_an_answer_without_counts_is_told_and_kept_to_be_counted() -> None:
    reply = _reply({"content": "Hello"}, usage=None)
    assert reply.usage is None
    assert reply.texts == ("Hello",)
    assert json.loads(reply.body)["usage"]["input_tokens"] == 0


def test_a_long_name_of_a_tool_comes_back_whole() -> None:
    name = "weather_" * 12
    ask = anthropic_ask({**ASKED, "tools": [{**TOOL, "name": name}]})
    wire = wire_for(ask, HOST.provider)
    assert wire is not None
    sent = json.loads(wire.build_request(ask, HOST).body)["tools"][0]["function"]["name"]
    function = {"name": sent, "arguments": "{}"}
    message = {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    body = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    told = json.loads(wire.read_reply(ask, {}, json.dumps(body).encode()).body)
    assert len(sent) <= 64
    assert told["content"][0]["name"] == name


def test_a_stream_is_told_in_anthropics_events() -> None:
    reader = _opened()
    events = heard(reader, [STREAM])
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [event["type"] for event in events if event["type"] != "content_block_delta"] == [
        "message_start",
        *["content_block_start", "content_block_stop"] * 3,
        "message_delta",
    ]
    assert [delta["type"] for delta in deltas] == [
        "thinking_delta",
        *["text_delta"] * 2,
        *["input_json_delta"] * 2,
    ]
    assert "".join(delta.get("text", "") for delta in deltas) == "Hello wide"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"city": "Paris"}
    assert events[0]["message"]["model"] == "mine"
    assert events[-1]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert events[-1]["usage"] == TOLD
    assert reader.usage == USAGE
    assert reader.tail == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert (reader.finished, reader.failure) == (True, None)


def test_cut_at_any_place_a_stream_is_the_same() -> None:
    whole = heard(_opened(), [STREAM])
    assert heard(_opened(), one_by_one(STREAM)) == whole
    for at in range(1, len(STREAM), 13):
        reader = _opened()
        assert heard(reader, [STREAM[:at], STREAM[at:]]) == whole
        assert (reader.usage, reader.finished) == (USAGE, True)


def test_what_commits_a_stream_comes_with_an_event() -> None:
    reader = _opened()
    for piece in one_by_one(STREAM):
        begun = reader.meaningful
        event = reader.feed(piece)
        assert reader.meaningful == begun or event is not None
    assert "".join(reader.delivered).startswith("Hmm.Hello wide")


def test_a_stream_that_only_stops_has_not_ended() -> None:
    reader = _opened()
    reader.feed(STREAM.removesuffix(encode_event(b"[DONE]")))
    assert not reader.finished
    assert reader.tail == b""


def test_an_error_within_is_a_failure_behind_what_came_before() -> None:
    begun = b"".join([_chunk({"content": "Hello"})])
    reader = _opened()
    events = heard(reader, [begun + encode_event(b'{"error": {"message": "overloaded"}}') + STREAM])
    assert events == heard(_opened(), [begun])
    assert type(reader.failure) is errors.ProviderError
    assert not reader.finished


@pytest.mark.parametrize("shape", [GEMINI, OLLAMA], ids=["gemini", "ollama"])
def test_translations_stand_on_each_other(shape: Any) -> None:
    deployment = deployed(shape.upstream)
    ask = anthropic_ask({**ASKED, "stream": True})
    told = json.loads(translated(anthropic_ask(ASKED), deployment).read_reply(ask, {}, shape.whole).body)
    assert [block["type"] for block in told["content"]] == ["thinking", "text", "tool_use"]
    assert told["content"][2]["input"] == {"city": "Paris"}
    assert told["usage"]["cache_read_input_tokens"] == shape.usage.cache_read
    reader = translated(ask, deployment).open_stream(ask)
    events = heard(reader, one_by_one(shape.stream))
    starts = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert starts == ["thinking", "text", "tool_use"]
    assert (reader.usage, reader.finished) == (shape.usage, True)


def test_the_dialects_other_questions_go_nowhere_else() -> None:
    ask = anthropic_ask(ASKED)
    other = type(ask)(
        **{name: getattr(ask, name) for name in ask.__struct_fields__} | {"operation": "count_tokens"}
    )
    assert wire_for(other, HOST.provider) is None
