"""OpenAI's streams: however the bytes are cut, the same events, the same usage, the same texts."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.call import Usage
from gateway.chat_stream import ChatStream
from gateway.errors import ProviderError, ProviderMalformed
from gateway.wires.openai import open_stream
from tests.support.engine import (
    make_ask,
)
from tests.support.script import (
    DONE,
    ROLE,
    USAGE,
    chunk,
    event,
)

PIECES = [
    b": keep-alive\r\n\r\n",
    ROLE,
    chunk(content="Grüße 🙂"),
    b'event: message\r\nid: 7\r\ndata: {"choices":[{"index":0,"delta":{"content":"!"}}]}\r\n\r\n',
    b'data:{"choices":[{"index":0,\ndata: "delta":{"content":"?"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\r\r',
    event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    USAGE,
    DONE,
]
STREAM = b"".join(PIECES)
TEXTS = ["Grüße 🙂", "!", "?", "hm"]


def _read(*pieces: bytes, hides_usage: bool = False) -> tuple[bytes, ChatStream]:
    reader = ChatStream(hides_usage=hides_usage)
    passed = [found.data for piece in pieces if (found := reader.feed(piece)) is not None]
    return b"".join(passed), reader


def _assert_whole(passed: bytes, reader: ChatStream) -> None:
    assert passed == STREAM.removesuffix(DONE)
    assert (reader.usage, reader.delivered) == (Usage(input=10, output=5), TEXTS)
    assert (reader.meaningful, reader.finished, reader.tail) == (True, True, DONE)


def test_a_cut_anywhere_changes_nothing() -> None:
    for at in range(len(STREAM) + 1):
        _assert_whole(*_read(STREAM[:at], STREAM[at:]))


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_many_cuts_change_nothing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    _assert_whole(*_read(*(STREAM[start:end] for start, end in pairwise(edges))))


def test_byte_by_byte() -> None:
    _assert_whole(*_read(*(bytes([byte]) for byte in STREAM)))


def test_an_event_of_five_megabytes_in_packets() -> None:
    long = chunk(content="x" * 5_000_000)
    packets = [long[at : at + 1_400] for at in range(0, len(long), 1_400)]
    passed, reader = _read(*packets, DONE)
    assert passed == long
    assert len(reader.delivered[0]) == 5_000_000


def test_an_event_without_an_end_is_given_up() -> None:
    with pytest.raises(ProviderMalformed):
        _read(*[b"x" * 1_000_000] * 20)


def test_usage_nobody_asked_for_is_hidden() -> None:
    passed, reader = _read(STREAM, hides_usage=True)
    assert passed == STREAM.removesuffix(USAGE + DONE)
    assert reader.usage == Usage(input=10, output=5)


def test_usage_beside_words_is_not_hidden() -> None:
    both = event(
        {"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    )
    passed, reader = _read(both, hides_usage=True)
    assert (passed, reader.usage) == (both, Usage(input=1, output=1))


def test_the_last_usage_counts_and_nonsense_does_not_replace_it() -> None:
    later = event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 9}})
    nonsense = event({"choices": [], "usage": {"prompt_tokens": "?"}})
    nothing = event({"choices": [], "usage": None})
    assert _read(USAGE, later, nonsense, nothing)[1].usage == Usage(input=10, output=9)


@pytest.mark.parametrize(
    ("delta", "meaningful"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": ""}, False),
        ({"content": None}, False),
        ({"content": "a"}, True),
        ({"tool_calls": [{"index": 0}]}, True),
        ({"refusal": "no"}, True),
        ({"reasoning_content": "hm"}, True),
    ],
)
def test_only_something_said_commits_an_answer(delta: dict[str, object], meaningful: bool) -> None:
    assert _read(chunk(**delta))[1].meaningful is meaningful


def test_an_end_commits_too() -> None:
    assert _read(event({"choices": [{"delta": {}, "finish_reason": "length"}]}))[1].meaningful
    assert _read(event({"choices": [{"text": "old style"}]}))[1].delivered == ["old style"]


def test_arguments_of_tools_are_counted_as_delivered() -> None:
    calls = [{"index": 0, "function": {"arguments": '{"city":"Paris"}'}}]
    (text,) = _read(chunk(tool_calls=calls))[1].delivered
    assert "Paris" in text


def test_an_error_event_is_a_failure() -> None:
    passed, reader = _read(ROLE + event({"error": {"message": "sk-secret", "code": 500}}) + ROLE, DONE)
    assert type(reader.failure) is ProviderError
    assert "sk-secret" not in reader.failure.message
    assert (passed, reader.finished) == (ROLE, False)


@pytest.mark.parametrize(
    "data", [b"data: not json\n\n", b"data: {\n\n", b'data: {"choices":7}\n\n', b"data: \xff\n\n"]
)
def test_what_is_no_chunk_is_malformed(data: bytes) -> None:
    assert type(_read(data)[1].failure) is ProviderMalformed


def test_what_follows_the_end_is_dropped() -> None:
    passed, reader = _read(ROLE, DONE + chunk(content="more"), chunk(content="still more"))
    assert (passed, reader.delivered) == (ROLE, [])


def test_a_reader_hides_usage_from_who_did_not_ask() -> None:
    hidden = open_stream(make_ask(stream=True, wants_usage=False))
    assert hidden.feed(USAGE) is None
    shown = open_stream(make_ask(stream=True)).feed(USAGE)
    assert shown is not None
    assert shown.data == USAGE
