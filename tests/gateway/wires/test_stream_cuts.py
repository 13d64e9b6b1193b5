"""Readers of streams that are cut into two packets at each byte, or into single bytes: they read the same.

Those of chats and messages are cut in `test_openai_stream.py` and `test_anthropic_stream.py`; whole doors
in `tests/api/test_stream_fidelity.py`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.call import Event
from gateway.plain import TextReader
from gateway.typed_stream import TypedStream
from gateway.wires import StreamReader, wire_for
from tests.gateway.wires.litellm_form import (
    QUESTION,
    anthropic_ask,
    deployed,
    heard,
    one_by_one,
    openai_ask,
    translated,
)
from tests.gateway.wires.litellm_shapes import SHAPES
from tests.support.engine import ask_of, make_provider
from tests.support.provider_kinds import response_events, typed
from tests.support.provider_scripts import DONE, USAGE, chunk, delta, event

LONG = 5_000_000
COMMENT = ": Grüße 🙂\r\n\r\n".encode()
NAMES = re.compile(rb"\b(resp|msg|fc)_[0-9a-f]+")
CALLS = re.compile('"id":"[^"]*",')
"""Names that are made up anew for each stream."""
COUNTS = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
RESPONSE_ASK = ask_of(b'{"model":"m","input":"x"}', operation="response")

Read = Callable[[Sequence[bytes]], Any]
"""What comes of packets, in a form to compare."""


def told_by(open_reader: Callable[[], StreamReader]) -> Read:
    def read(packets: Sequence[bytes]) -> Any:
        reader = open_reader()
        passed = b"".join(found.data for one in packets if (found := reader.feed(one)) is not None)
        return NAMES.sub(rb"\1", passed), NAMES.sub(rb"\1", reader.tail), *_kept(reader)

    return read


def translated_by(open_reader: Callable[[], StreamReader]) -> Read:
    def read(packets: Sequence[bytes]) -> Any:
        reader = open_reader()
        return heard(reader, packets), *_kept(reader)

    return read


def _kept(reader: StreamReader) -> tuple[Any, ...]:
    said = (reader.usage, reader.service_tier, CALLS.sub("", "".join(reader.delivered)))
    return *said, reader.meaningful, reader.finished, type(reader.failure)


def read_text(packets: Sequence[bytes]) -> Any:
    reader = TextReader()
    text = "".join([reader.read(Event(one)) for one in packets])
    return text, reader.finish_reason, reader.counts


def tongue(name: str) -> Callable[[], StreamReader]:
    ask = openai_ask({**QUESTION, "stream": True})
    return lambda: translated(ask, deployed(SHAPES[name].upstream, SHAPES[name].wire)).open_stream(ask)


def response_of_chat() -> StreamReader:
    wire = wire_for(RESPONSE_ASK, make_provider())
    assert wire is not None
    return wire.open_stream(RESPONSE_ASK)


def messages() -> StreamReader:
    ask = anthropic_ask({**QUESTION, "max_tokens": 90, "stream": True})
    return translated(ask, deployed("gpt-5", "openai", base_url="http://here/v1")).open_stream(ask)


def with_letters(stream: bytes) -> bytes:
    return stream.replace(b"Hello", "Grüße 🙂".encode())


def dressed(*events: bytes) -> bytes:
    """A comment before them, letters of several bytes within, and every other one with CRLF."""
    told = map(with_letters, events)
    return COMMENT + b"".join(
        one.replace(b"\n", b"\r\n") if place % 2 else one for place, one in enumerate(told)
    )


CHAT = dressed(
    event(delta("Hello")),
    event(delta(" wide")),
    event(chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])),
    event(chunk([], usage=USAGE)),
    DONE,
)
WRITTEN = dressed(
    typed({"type": "transcript.text.delta", "delta": "Hello"}),
    typed({"type": "transcript.text.done", "text": "Hello", "usage": COUNTS}),
)
WRITTEN_OUT = [name for name in SHAPES if name != "bedrock"]
"""All but the one whose frames are counted byte by byte."""
SHORT: dict[str, tuple[Read, bytes]] = {
    "a response": (told_by(lambda: TypedStream("chat")), dressed(*response_events(pieces=("Hello",)))),
    "what was heard": (told_by(lambda: TypedStream("transcription")), WRITTEN),
    "a chat told as a response": (told_by(response_of_chat), CHAT),
    "the text of a chat": (read_text, CHAT),
    "a chat told as a message": (translated_by(messages), CHAT),
    **{name: (translated_by(tongue(name)), with_letters(SHAPES[name].stream)) for name in WRITTEN_OUT},
    "bedrock": (translated_by(tongue("bedrock")), SHAPES["bedrock"].stream),
}
LARGE: dict[str, tuple[Read, bytes]] = {
    name: (SHORT[name][0], SHORT[name][1].replace("Grüße 🙂".encode(), b"x" * LONG, 1))
    for name in ("a response", "what was heard", "a chat told as a response", "the text of a chat")
}

pytestmark = pytest.mark.usefixtures("litellm_at_hand")


@pytest.mark.parametrize(("read", "stream"), SHORT.values(), ids=SHORT)
def test_two_packets_cut_at_any_byte_read_the_same(read: Read, stream: bytes) -> None:
    whole = read([stream])
    for at in range(1, len(stream)):
        assert read([stream[:at], stream[at:]]) == whole, stream[:at]
    assert read(one_by_one(stream)) == whole


@pytest.mark.parametrize(("read", "stream"), LARGE.values(), ids=LARGE)
def test_an_event_of_five_megabytes_reads_the_same_in_one_packet_and_in_many(
    read: Read, stream: bytes
) -> None:
    packets = [stream[at : at + 65_536] for at in range(0, len(stream), 65_536)]
    assert read(packets) == read([stream])
    assert len(stream) > LONG
