"""Anthropic's streams: however the bytes are cut, the same events, the same usage, the same texts."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway import errors
from gateway.call import Usage
from gateway.wires.anthropic import StreamReader, open_stream
from tests.support.anthropic_scripts import (
    METERS,
    OUTPUT_TOKENS,
    PROMPT_USAGE,
    STOP,
    THOUGHT,
    error_event,
    event,
    events,
    text_events,
)
from tests.support.engine import make_ask

USED = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln 🙂"}}
START, PING, *MIDDLE, END, _ = events(THOUGHT, {"type": "text", "text": "Grüße 🙂!"}, USED)
PIECES = [
    b": a comment\r\n\r\n",
    START,
    PING.replace(b"\n", b"\r\n"),
    *MIDDLE[:4],
    *(piece.replace(b"\n", b"\r") for piece in MIDDLE[4:8]),
    *MIDDLE[8:],
    b'event: content_block_delta\ndata: {"type":"content_block_delta",\ndata: "delta":{"text":"."}}\n\n',
    END,
    STOP,
]
STREAM = b"".join(PIECES)
SAID = 'They greet me.Grüße 🙂!{"city": "Köln 🙂"}.'
WHOLE = Usage(**METERS)
PROMPT = Usage(**{name: count for name, count in METERS.items() if name != "output"}, doubtful=True)


def _read(*pieces: bytes) -> tuple[bytes, StreamReader]:
    reader = StreamReader()
    passed = [found.data for piece in pieces if (found := reader.feed(piece)) is not None]
    return b"".join(passed), reader


def _assert_whole(passed: bytes, reader: StreamReader) -> None:
    assert passed == STREAM.removesuffix(STOP)
    assert (reader.usage, "".join(reader.delivered)) == (WHOLE, SAID)
    assert (reader.meaningful, reader.finished, reader.tail) == (True, True, STOP)
    assert (reader.failure, reader.service_tier) == (None, "standard")


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
    delta = {"type": "text_delta", "text": "x" * 5_000_000}
    long = event("content_block_delta", index=0, delta=delta)
    packets = [long[at : at + 1_400] for at in range(0, len(long), 1_400)]
    passed, reader = _read(*packets, STOP)
    assert passed == long
    assert len(reader.delivered[0]) == 5_000_000


@pytest.mark.parametrize(
    ("block", "meaningful"),
    [
        ({"type": "text", "text": ""}, False),
        ({"type": "thinking", "thinking": "", "signature": ""}, False),
        ({"type": "text", "text": "a"}, True),
        ({"type": "tool_use", "id": "t", "name": "weather", "input": {}}, True),
        ({"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}, True),
        ({"type": "redacted_thinking", "data": "x"}, True),
        ({"type": "unheard_of", "text": {"of": 1}}, True),
    ],
)
def test_a_tool_commits_an_answer_and_an_open_block_of_words_does_not(
    block: dict[str, object], meaningful: bool
) -> None:
    _, reader = _read(START, PING, event("content_block_start", index=0, content_block=block))
    assert reader.meaningful is meaningful


@pytest.mark.parametrize(
    ("delta", "meaningful"),
    [
        ({"type": "text_delta", "text": ""}, False),
        ({"type": "text_delta", "text": "a"}, True),
        ({"type": "thinking_delta", "thinking": "a"}, True),
        ({"type": "input_json_delta", "partial_json": ""}, False),
        ({"type": "input_json_delta", "partial_json": "{"}, True),
        ({"type": "signature_delta", "signature": "x"}, False),
        ({"type": "citations_delta", "citation": {}}, False),
    ],
)
def test_only_something_said_commits_an_answer(delta: dict[str, object], meaningful: bool) -> None:
    assert _read(START, event("content_block_delta", index=0, delta=delta))[1].meaningful is meaningful


def test_an_end_commits_too() -> None:
    _, reader = _read(START, END)
    assert (reader.meaningful, reader.usage, reader.finished) == (True, WHOLE, False)


def test_until_something_is_said_nothing_is_used_and_then_the_prompt_is() -> None:
    assert _read(START, PING, MIDDLE[0])[1].usage is None
    assert _read(START, *text_events("hello"))[1].usage == PROMPT


def test_the_last_counts_are_of_the_whole_message() -> None:
    late = {
        **PROMPT_USAGE,
        "input_tokens": 99,
        "output_tokens": 7,
        "server_tool_use": {"web_search_requests": 2},
    }
    delta = {"stop_reason": "end_turn"}
    _, reader = _read(START, event("message_delta", delta=delta, usage=late))
    assert reader.usage == Usage(**METERS | {"input": 99, "output": 7, "search": 2})


def test_counts_on_the_way_are_not_the_last() -> None:
    _, reader = _read(
        START, *text_events("hello"), event("message_delta", delta={}, usage={"output_tokens": 3})
    )
    assert reader.usage is not None
    assert (reader.usage.output, reader.usage.doubtful) == (3, True)


def test_zeros_and_nulls_at_the_end_take_nothing_back() -> None:
    usage = {"input_tokens": 0, "cache_read_input_tokens": None, "output_tokens": OUTPUT_TOKENS}
    _, reader = _read(START, event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage))
    assert reader.usage == WHOLE


def test_a_host_may_count_at_the_end_alone() -> None:
    usage = {"input_tokens": 9, "output_tokens": 4}
    begun = event("message_start", message={"usage": {"input_tokens": 0, "output_tokens": 0}})
    _, reader = _read(begun, event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage))
    assert reader.usage == Usage(input=9, output=4)


def test_a_fast_answer_has_the_prices_of_a_class_of_its_own() -> None:
    message = {"usage": {**PROMPT_USAGE, "output_tokens": 1, "speed": "fast"}}
    assert _read(event("message_start", message=message))[1].service_tier == "fast"


@pytest.mark.parametrize(
    ("kind", "failure", "status"),
    [
        ("overloaded_error", errors.ProviderError, 503),
        ("api_error", errors.ProviderError, 502),
        ("something_new", errors.ProviderError, 502),
        ("rate_limit_error", errors.ProviderOverloaded, 429),
        ("invalid_request_error", errors.ProviderRejected, 400),
        ("request_too_large", errors.ProviderRejected, 413),
        ("authentication_error", errors.ProviderRefusedKey, 502),
        ("timeout_error", errors.ProviderTimeout, 504),
    ],
)
def test_an_error_event_is_a_failure_of_its_sort(kind: str, failure: type, status: int) -> None:
    passed, reader = _read(START + error_event(kind, "sk-secret") + PING, STOP)
    assert reader.failure is not None
    assert (type(reader.failure), reader.failure.status) == (failure, status)
    assert (reader.failure.message == "sk-secret") is (failure is errors.ProviderRejected)
    assert (passed, reader.finished, reader.usage) == (START, False, None)


def test_an_error_without_a_sort_is_one_all_the_same() -> None:
    assert type(_read(event("error", error=None))[1].failure) is errors.ProviderError


@pytest.mark.parametrize(
    "data",
    [b"data: not json\n\n", b"data: {\n\n", b"data: [1]\n\n", b'data: {"type":7}\n\n', b"data: \xff\n\n"],
)
def test_what_is_no_event_is_malformed(data: bytes) -> None:
    assert type(_read(data)[1].failure) is errors.ProviderMalformed


def test_events_nobody_knows_go_through() -> None:
    odd = event("something_new", delta=None, index=7) + b"event: nothing\n\n"
    assert _read(odd)[0] == odd


def test_what_follows_the_end_is_dropped() -> None:
    passed, reader = _read(START, STOP + PING, *text_events("more"))
    assert (passed, reader.delivered) == (START, [])


def test_an_ask_opens_a_reader() -> None:
    found = open_stream(make_ask(stream=True)).feed(PING)
    assert found is not None
    assert found.data == PING
