"""A chat's stream as a response's, however it is cut into pieces, and wherever it ends."""

import json
from typing import Any

import pytest

from gateway.call import Usage
from gateway.errors import ProviderError
from gateway.responses.streaming import ResponseStream
from gateway.sse import Frames, event_data
from tests.support.engine import ask_of

ASK = ask_of(b'{"model":"m","input":"x"}', operation="response")
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any], reason: str | None = None, **members: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps({"choices": [choice], "created": 5, **members}).encode()


def called(index: int, arguments: str, **named: Any) -> bytes:
    function = {"arguments": arguments} | ({"name": named.pop("name")} if "name" in named else {})
    return chunk({"tool_calls": [{"index": index, "function": function, **named}]})


COUNTED = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}\n\n'
STREAM = b"".join(
    [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "let me"}),
        chunk({"content": " look"}),
        called(0, "", id="call_a", name="weather"),
        called(0, '{"city":'),
        called(0, '"Oslo"}'),
        called(1, "{}", id="call_b", name="time"),
        chunk({}, "tool_calls"),
        COUNTED,
        DONE,
    ]
)


def told(*chunks: bytes) -> tuple[ResponseStream, list[dict[str, Any]]]:
    stream = ResponseStream(ASK)
    passed = b"".join(event.data for one in chunks if (event := stream.feed(one)) is not None)
    events = [event_data(event) for event in Frames().feed(passed + stream.tail)]
    return stream, [json.loads(data) for data in events if data]


def test_items_are_told_one_after_the_other() -> None:
    stream, events = told(STREAM)
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["output_index"] for event in events[2:-1]] == [0] * 7 + [1] * 5 + [2] * 4
    said, weather, clock = events[-1]["response"]["output"]
    assert said["content"][0]["text"] == "let me look"
    assert (weather["call_id"], weather["name"], weather["arguments"]) == (
        "call_a",
        "weather",
        '{"city":"Oslo"}',
    )
    assert (clock["call_id"], clock["arguments"]) == ("call_b", "{}")
    assert stream.usage == Usage(input=5, output=3)


def test_whatever_the_pieces_it_is_the_same_stream() -> None:
    kinds = [event["type"] for event in told(STREAM)[1]]
    pieces = [STREAM[at : at + 7] for at in range(0, len(STREAM), 7)]
    assert [event["type"] for event in told(*pieces)[1]] == kinds


@pytest.mark.parametrize("cut", range(0, len(STREAM), 11))
def test_a_stream_that_is_cut_has_no_end(cut: int) -> None:
    stream, events = told(STREAM[:cut])
    assert not stream.finished
    assert stream.tail == b""
    assert "response.completed" not in [event["type"] for event in events]


def test_the_end_waits_in_the_tail() -> None:
    stream = ResponseStream(ASK)
    passed = stream.feed(STREAM)
    assert passed is not None
    assert b"response.completed" not in passed.data
    assert stream.tail.count(b"event: response.completed\n") == 1
    tail = stream.tail
    assert stream.feed(b"\n\n") is None
    assert stream.tail == tail


def test_a_refusal_is_told_as_one() -> None:
    _, events = told(chunk({"refusal": "no"}), chunk({}, "stop"), DONE)
    assert events[4]["type"] == "response.refusal.delta"
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_an_answer_without_a_word_is_still_a_response() -> None:
    _, events = told(chunk({}, "stop"), DONE)
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]


def test_what_came_before_a_failure_is_told() -> None:
    stream, events = told(chunk({"content": "hi"}) + b'data: {"error":{"message":"overloaded"}}\n\n')
    assert isinstance(stream.failure, ProviderError)
    assert events[-1]["delta"] == "hi"
    assert not stream.finished


@pytest.mark.parametrize("odd", [b'{"choices":[{"delta":{"content":"x","tool_calls":7}}]}', b'{"choices":7}'])
def test_an_odd_chunk_is_a_failure(odd: bytes) -> None:
    stream, _ = told(b"data: %b\n\n" % odd)
    assert isinstance(stream.failure, ProviderError)
