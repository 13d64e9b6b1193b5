"""Streams of other providers as OpenAI's chunks: whatever pieces they come in, and however they end."""

import json
from typing import Any

import pytest

from gateway import errors
from gateway.call import Ask
from gateway.wires import StreamReader
from tests.gateway.wires.litellm_bytes import frame, lines, sse
from tests.gateway.wires.litellm_form import (
    QUESTION,
    deployed,
    heard,
    one_by_one,
    openai_ask,
    said,
    translated,
)
from tests.gateway.wires.litellm_shapes import SHAPES

pytestmark = pytest.mark.usefixtures("litellm_at_hand")
EACH = pytest.mark.parametrize("name", SHAPES)
DONE = b"data: [DONE]\n\n"


def _opened(name: str, *, wants_usage: bool = True, **members: Any) -> StreamReader:
    ask: Ask = openai_ask({**QUESTION, "stream": True, **members}, wants_usage=wants_usage)
    return translated(ask, deployed(SHAPES[name].upstream, SHAPES[name].wire)).open_stream(ask)


@EACH
def test_a_stream_is_told_in_openais_chunks(name: str) -> None:
    reader = _opened(name)
    events = heard(reader, [SHAPES[name].stream])
    told = said(events)
    assert (told["content"], told["reasoning"]) == ("Hello wide", "Hmm.")
    assert {at: (tool, json.loads(rest)) for at, (tool, rest) in told["tools"].items()} == {
        0: ("weather", {"city": "Paris"})
    }
    assert told["reasons"] == ["tool_calls"]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert all("role" not in choice["delta"] for event in events[1:] for choice in event["choices"])
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert (reader.finished, reader.failure, reader.tail) == (True, None, DONE)


@EACH
def test_counts_come_last_and_are_the_providers(name: str) -> None:
    reader, usage = _opened(name), SHAPES[name].usage
    events = heard(reader, [SHAPES[name].stream])
    assert reader.usage == usage
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["total_tokens"] == usage.tokens
    assert all("usage" not in event for event in events[:-1])


@EACH
def test_counts_are_kept_from_who_did_not_ask_for_them(name: str) -> None:
    reader = _opened(name, wants_usage=False)
    assert said(heard(reader, [SHAPES[name].stream]))["usage"] is None
    assert reader.usage == SHAPES[name].usage


@EACH
def test_cut_at_any_place_a_stream_is_the_same(name: str) -> None:
    stream = SHAPES[name].stream
    whole = heard(_opened(name), [stream])
    assert heard(_opened(name), one_by_one(stream)) == whole
    for at in range(1, len(stream), 7):
        reader = _opened(name)
        assert heard(reader, [stream[:at], stream[at:]]) == whole
        assert (reader.usage, reader.tail, reader.finished) == (SHAPES[name].usage, DONE, True)


@EACH
def test_a_stream_ends_only_with_the_providers_own_end(name: str) -> None:
    stream = SHAPES[name].stream
    reader = _opened(name)
    for piece in one_by_one(stream)[:-1]:
        reader.feed(piece)
        assert not reader.finished
        assert reader.tail == b""
    reader.feed(stream[-1:])
    assert reader.finished


@EACH
def test_nothing_is_passed_on_behind_the_end(name: str) -> None:
    reader = _opened(name)
    reader.feed(SHAPES[name].stream)
    assert reader.feed(SHAPES[name].stream) is None


@EACH
def test_an_error_within_is_a_failure_behind_what_came_before(name: str) -> None:
    stream, error = SHAPES[name].stream, SHAPES[name].error
    half = stream[: len(stream) * 2 // 3]
    begun = heard(_opened(name), [half])
    reader = _opened(name)
    boundary = _whole_events(name, half)
    assert heard(reader, [half[:boundary] + error + stream]) == begun
    assert isinstance(reader.failure, errors.ProviderError)
    assert not reader.finished
    assert reader.feed(stream) is None


@EACH
def test_what_cannot_be_read_is_a_failure(name: str) -> None:
    reader = _opened(name)
    junk = frame("messageStart", {})[:-1] + b"x" if name == "bedrock" else b"data: {\n\n"
    assert reader.feed(junk) is None
    assert isinstance(reader.failure, errors.ProviderMalformed)


@EACH
def test_before_anything_is_said_nothing_counts_and_until_the_end_counts_are_doubtful(name: str) -> None:
    reader = _opened(name)
    for piece in one_by_one(SHAPES[name].stream):
        reader.feed(piece)
        assert reader.usage is None or reader.meaningful
        if reader.usage is not None and reader.usage != SHAPES[name].usage:
            assert reader.usage.doubtful


@EACH
def test_what_was_said_is_kept_to_be_counted(name: str) -> None:
    reader = _opened(name)
    reader.feed(SHAPES[name].stream)
    assert "".join(reader.delivered).startswith("Hmm.Hello wide")
    assert "Paris" in "".join(reader.delivered)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("throttlingException", errors.ProviderOverloaded),
        ("validationException", errors.ProviderRejected),
        ("modelTimeoutException", errors.ProviderTimeout),
        ("internalServerException", errors.ProviderError),
        ("anythingElse", errors.ProviderError),
    ],
)
def test_amazons_exceptions_mean_what_their_statuses_do(kind: str, failure: type[Exception]) -> None:
    reader = _opened("bedrock")
    reader.feed(frame(kind, {"message": "no"}, exception=True))
    assert type(reader.failure) is failure


def test_geminis_stream_without_counts_ends_with_its_bytes() -> None:
    last = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}]}
    reader = _opened("gemini")
    reader.feed(sse(last))
    assert not reader.finished
    reader.feed(b"\n\n")
    assert reader.finished


def test_geminis_stream_that_nobody_stopped_has_not_ended_with_its_bytes() -> None:
    cut = _opened("gemini")
    cut.feed(sse({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "index": 0}]}) + b"\n\n")
    assert not cut.finished


def test_gemini_has_ended_when_each_of_its_answers_has() -> None:
    def one(at: int) -> dict[str, Any]:
        candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": at}
        return {
            "candidates": [candidate],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2},
        }

    reader = _opened("gemini", n=2)
    reader.feed(sse(one(0)))
    assert not reader.finished
    reader.feed(sse(one(1)))
    assert reader.finished


def test_a_prompt_that_gemini_blocks_is_an_end() -> None:
    told = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    reader = _opened("gemini")
    assert said(heard(reader, [sse(told)]))["reasons"] == ["content_filter"]
    assert reader.finished


def test_ollamas_last_line_need_not_be_closed() -> None:
    reader = _opened("ollama")
    reader.feed(SHAPES["ollama"].stream.rstrip(b"\n"))
    assert not reader.finished
    reader.feed(b"\n\n")
    assert reader.finished


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.translation.frames.LARGEST_EVENT", 100)
    reader = _opened("ollama")
    reader.feed(lines({"message": {"content": "x"}, "done": False, "model": "m"}) + b" " * 101)
    assert isinstance(reader.failure, errors.ProviderMalformed)


def _whole_events(name: str, data: bytes) -> int:
    """How far whole events go."""
    if name == "bedrock":
        at = 0
        while at + int.from_bytes(data[at : at + 4], "big") <= len(data):
            at += int.from_bytes(data[at : at + 4], "big")
        return at
    boundary = b"\n" if name == "ollama" else b"\n\n"
    return data.rfind(boundary) + len(boundary)
