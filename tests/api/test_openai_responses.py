"""Responses, from hosts that have them and those that have chats, kept for their tenant alone."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai.types.responses import FunctionToolParam

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.openai_clients import async_client_of, client_of
from tests.support.provider_kinds import events_then, response_events
from tests.support.provider_scripts import (
    COMPLETION_TOKENS,
    DONE,
    PIECES,
    PROMPT_TOKENS,
    chunk,
    event,
    replies,
    streams,
    streams_events,
)
from tests.support.provider_stub import ProviderStub
from tests.support.refusals import refused

PATH = "/v1/responses"
SAID = "".join(PIECES)
TOKENS = {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}
each_host = pytest.mark.parametrize("host", ["stub", "native"])
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": None,
}


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("doors")


@pytest.fixture
def client(caller: Caller) -> Iterator[openai.OpenAI]:
    with client_of(caller) as client:
        yield client


@each_host
def test_a_response_is_answered_counted_and_charged(
    client: openai.OpenAI, caller: Caller, provider: ProviderStub, host: str
) -> None:
    name, request = fresh("response"), fresh("response")
    answer = client.responses.create(
        model=f"{host}/{name}", input="say it", extra_headers={"X-Request-ID": request}
    )
    assert (answer.output_text, answer.status) == (SAID, "completed")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT_TOKENS, COMPLETION_TOKENS)
    row = caller.entry(request)
    assert (row.kind, row.status, row.meters, bool(row.estimated)) == ("chat", "settled", TOKENS, False)
    path = "/v1/responses" if host == "native" else "/v1/chat/completions"
    assert [heard.path for heard in provider.heard(name)] == [path]


def test_a_native_answer_comes_back_byte_for_byte(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("bytes")
    told = (
        rb'{ "id":"resp_%b", "output":[{"type":"x\u00e9", "n":1.50}], "odd": 1E2, "usage":null }'
        % name.encode()
    )
    provider.script(name, replies(told))
    answer = caller.post(json.dumps({"model": f"native/{name}", "input": "x"}).encode(), path=PATH)
    assert answer.body == told


@each_host
async def test_a_response_is_streamed_in_order(caller: Caller, host: str) -> None:
    request = fresh("stream")
    async with async_client_of(caller) as client:
        stream = await client.responses.create(
            model=f"{host}/streamed", input="say it", stream=True, extra_headers={"X-Request-ID": request}
        )
        events = [event async for event in stream]
    assert [one.sequence_number for one in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == SAID
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == SAID
    assert caller.entry(request).meters == TOKENS


def test_thoughts_that_only_their_host_could_look_up_are_left_out(
    caller: Caller, provider: ProviderStub
) -> None:
    """Their id may be another tenant's; without them, the other items must not need them."""
    name = fresh("thoughts")
    said = {"role": "user", "content": "x"}
    bare = {"type": "reasoning", "id": "rs_theirs", "summary": []}
    sealed = {"type": "reasoning", "id": "rs_mine", "summary": [], "encrypted_content": "e"}
    called = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    for items in ([said, bare, called], [said, sealed, called]):
        body = json.dumps({"model": f"native/{name}", "input": items}).encode()
        escaped = body.replace(b'"type": "reasoning"', rb'"type": "reason\u0069ng"')
        assert caller.post(escaped, path=PATH).status == 200
    first, second = [heard.asked["input"] for heard in provider.heard(name)]
    assert first == [said, {key: value for key, value in called.items() if key != "id"}]
    assert second == [said, sealed, called]


def test_a_chats_stream_is_told_in_the_documented_order(client: openai.OpenAI) -> None:
    with client.responses.create(model="stub/order", input="say it", stream=True) as stream:
        kinds = [one.type for one in stream]
    begun = ["created", "in_progress", "output_item.added", "content_part.added"]
    ended = ["output_text.done", "content_part.done", "output_item.done", "completed"]
    middle = ["output_text.delta"] * len(PIECES)
    assert kinds == [f"response.{one}" for one in (*begun, *middle, *ended)]


def test_the_last_event_waits_until_the_call_is_settled(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("last"), fresh("last")
    provider.script(name, events_then(response_events(f"resp_{name}")))
    body = json.dumps({"model": f"native/{name}", "input": "x", "stream": True}).encode()
    answer = caller.post(body, request, PATH)
    assert answer.body == b"".join(response_events(f"resp_{name}"))
    assert caller.entry(request).status == "settled"


@each_host
def test_a_stream_that_is_cut_has_no_end_and_is_booked(
    caller: Caller, provider: ProviderStub, host: str
) -> None:
    name, request = fresh("cut"), fresh("cut")
    cut = events_then(response_events()[:3], cut=True)
    provider.script(name, cut if host == "native" else streams(cut_after=1))
    kinds: list[str] = []
    with (
        client_of(caller) as client,
        client.responses.create(
            model=f"{host}/{name}", input="x", stream=True, extra_headers={"X-Request-ID": request}
        ) as stream,
        pytest.raises(openai.APIError) as broken,
    ):
        kinds.extend(one.type for one in stream)
    assert broken.value.code == "provider_cut"
    assert "response.output_text.delta" in kinds
    assert "response.completed" not in kinds
    row = caller.entry(request)
    assert (row.kind, row.status, bool(row.estimated)) == ("chat", "settled", True)


@each_host
def test_an_error_within_a_stream_is_told(caller: Caller, provider: ProviderStub, host: str) -> None:
    name = fresh("error")
    failed = b'event: error\ndata: {"type":"error","message":"overloaded"}\n\n'
    broken = events_then([*response_events()[:3], failed])
    provider.script(name, broken if host == "native" else streams(error_after=1))
    with client_of(caller) as client, pytest.raises(openai.APIError) as told:
        list(client.responses.create(model=f"{host}/{name}", input="x", stream=True))
    assert told.value.code == "provider_error"


def test_a_tool_is_called_and_its_result_taken(client: openai.OpenAI) -> None:
    first = client.responses.create(model="echo", input="how is the weather?", tools=[WEATHER])
    called = first.output[0]
    assert called.type == "function_call"
    assert (called.name, json.loads(called.arguments)) == ("get_weather", {"city": "echo"})
    last = client.responses.create(
        model="echo",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": called.call_id, "output": "sunny"}],
        tools=[WEATHER],
    )
    assert last.output_text == "sunny"


def test_a_streamed_tool_call_comes_whole(client: openai.OpenAI) -> None:
    with client.responses.create(
        model="echo",
        input="how is the weather?",
        tools=[WEATHER],
        stream=True,
    ) as stream:
        events = list(stream)
    kinds = [one.type for one in events]
    assert kinds[2:] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    last = events[-1]
    assert last.type == "response.completed"
    called = last.response.output[0]
    assert called.type == "function_call"
    assert called.arguments == '{"city":"echo"}'


def test_a_request_is_told_as_a_chat(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("told")
    schema = {"type": "object", "properties": {}}
    body = {
        "model": f"stub/{name}",
        "instructions": "be brief",
        "input": [{"role": "developer", "content": "in verse"}, {"role": "user", "content": "hello"}],
        "max_output_tokens": 50,
        "temperature": 0.5,
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}},
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "name": "get_weather"},
    }
    assert caller.post(json.dumps(body).encode(), path=PATH).status == 200
    function = {"name": WEATHER["name"], "parameters": WEATHER["parameters"]}
    assert provider.heard(name)[0].asked == {
        "model": name,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "system", "content": "in verse"},
            {"role": "user", "content": "hello"},
        ],
        "temperature": 0.5,
        "max_tokens": 50,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    }


def test_what_a_chat_cannot_be_told_is_refused(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("untold"), fresh("untold")
    body = {"model": f"stub/{name}", "input": [{"type": "custom_tool_call", "name": "x"}]}
    refused(caller.post(json.dumps(body).encode(), request, PATH), 400, "invalid_request", "input[0]")
    assert provider.heard(name) == []
    assert (caller.entry(request).status, caller.entry(request).charge_nano) == ("failed", 0)


def test_an_answer_that_was_too_long_is_incomplete(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("length")
    choice = {"index": 0, "delta": {"content": "half"}, "finish_reason": "length"}
    provider.script(name, streams_events([event(chunk([choice])), DONE]))
    with client_of(caller) as client:
        events = list(client.responses.create(model=f"stub/{name}", input="x", stream=True))
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"
