"""Streams whose events say what they are: followed, kept back at the end, and cut anywhere."""

import json
from typing import Any

import pytest

from gateway.call import Kind, Usage
from gateway.errors import ProviderError
from gateway.typed_stream import TypedStream


def event(**told: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (told["type"].encode(), json.dumps(told).encode())


COUNTS = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
BEGUN = event(type="response.created", response={"usage": None})
DELTA = event(type="response.output_text.delta", delta="hi")
ENDED = event(type="response.completed", response={"usage": COUNTS, "service_tier": "flex"})
STREAM = BEGUN + DELTA + ENDED


def test_the_last_event_waits_and_the_others_go_on_as_they_came() -> None:
    stream = TypedStream("chat")
    begun = stream.feed(BEGUN)
    assert begun is not None
    assert (begun.data, stream.meaningful) == (BEGUN, False)
    passed = stream.feed(DELTA + ENDED + DELTA)
    assert passed is not None
    assert (passed.data, stream.tail, stream.finished, stream.meaningful) == (DELTA, ENDED, True, True)
    assert (stream.usage, stream.service_tier, stream.delivered) == (Usage(input=5, output=3), "flex", ["hi"])


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_a_stream_that_is_cut_anywhere_is_not_finished(cut: int) -> None:
    stream = TypedStream("chat")
    passed = [stream.feed(STREAM[:cut])]
    assert not stream.finished
    assert stream.tail == b""
    assert STREAM.startswith(b"".join(one.data for one in passed if one is not None))
    assert stream.meaningful is (cut >= len(BEGUN + DELTA))


@pytest.mark.parametrize("kind", ["response.incomplete", "transcript.text.done", "speech.audio.done"])
def test_each_kind_has_an_end_of_its_own(kind: str) -> None:
    stream = TypedStream("transcription")
    stream.feed(event(type=kind, usage=COUNTS))
    assert stream.finished
    assert stream.usage == Usage(audio_in=5, output=3)


@pytest.mark.parametrize(
    "failed",
    [
        event(type="error", message="overloaded"),
        event(type="response.failed", response={"error": {"code": "server_error"}}),
        b'data: {"error":{"message":"overloaded"}}\n\n',
        b"data: <html>\n\n",
        b'data: {"type":7}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_an_error_is_a_failure_and_nothing_follows_it(failed: bytes) -> None:
    stream = TypedStream("chat")
    passed = stream.feed(DELTA + failed + DELTA)
    assert passed is not None
    assert passed.data == DELTA
    assert isinstance(stream.failure, ProviderError)
    assert not stream.finished


@pytest.mark.parametrize(("kind", "usage"), [("image", Usage(input=5, image_out=3))])
def test_counts_are_read_by_the_kind_of_call(kind: Kind, usage: Usage) -> None:
    stream = TypedStream(kind)
    stream.feed(event(type="image_generation.completed", usage=COUNTS))
    assert stream.usage == usage
