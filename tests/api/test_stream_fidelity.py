"""A stream is the same for its caller whatever packets it came in: at every door that streams.

The lane and the engine are the real ones, on a provider in memory that sends the packets which a test
makes up; what is large goes through a gateway on sockets. Readers alone are cut in `tests/gateway/wires`.
"""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.call import Usage
from gateway.retry import Effort
from tests.api.conftest import Calling
from tests.support import anthropic_scripts
from tests.support.caller import fresh
from tests.support.clock import FakeClock, rule_loop
from tests.support.engine import Rig, make_deployment, make_model, make_provider
from tests.support.lane import Sent, lane_on, send_to
from tests.support.matrix import ROWS, Row
from tests.support.plain_doors import events_of, told_in_pieces
from tests.support.provider_kinds import completion_events, response_events, typed
from tests.support.provider_scripts import DONE, USAGE, chunk, delta, event, streams_events
from tests.support.provider_stub import ProviderStub
from tests.support.script import streams

LONG = 5_000_000
SAID = "Grüße 🙂 wide"
COMMENT = ": Grüße 🙂\r\n\r\n".encode()
NAMES = re.compile(rb"\b(resp|msg|fc)_[0-9a-f]+")
TOKENS = {"stub": 18, "native": 18, "claude": 110}
"""What is counted in the last events of each provider."""
COUNTS = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}


def typed_events(*told: dict[str, Any]) -> list[bytes]:
    return [typed(one) for one in told]


EVENTS: dict[str, list[bytes]] = {
    "/v1/chat/completions": [
        event(delta("Hello")),
        event(delta(" wide")),
        event(chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])),
        event(chunk([], usage=USAGE)),
        DONE,
    ],
    "/v1/completions": completion_events(counts=True),
    "/v1/responses": response_events(pieces=("Hello", " wide")),
    "/v1/images/generations": typed_events(
        {"type": "image_generation.partial_image", "b64_json": "Hello"},
        {"type": "image_generation.completed", "b64_json": "eA==", "usage": COUNTS},
    ),
    "/v1/audio/speech": typed_events(
        {"type": "speech.audio.delta", "audio": "Hello"},
        {"type": "speech.audio.done", "usage": COUNTS},
    ),
    "/v1/audio/transcriptions": typed_events(
        {"type": "transcript.text.delta", "delta": "Hello"},
        {"type": "transcript.text.done", "text": "Hello", "usage": COUNTS},
    ),
    "/v1/messages": anthropic_scripts.events({"type": "text", "text": "Hello wide"}),
}
"""What a provider says at the doors whose words it speaks itself; the others are chats to it."""

PIECE: dict[str, tuple[str, dict[str, Any]]] = {
    "/api/v1/gateway/generate": ("text", {"model": "m"}),
    "/api/v1/gateway/generate/stream": ("text", {"model": "m"}),
    "/api/v1/generate": ("text", {"done": False}),
    "/stream": ("chunk", {"finished": False}),
}
"""What a piece of text is called at the others, and what is told beside it."""

STREAMED = [row for row in ROWS if row.streams]
each_stream = pytest.mark.parametrize("row", STREAMED, ids=str)


def speaks_alike(row: Row) -> bool:
    """Whether the provider speaks as its caller does."""
    return row.path in EVENTS and (row.path != "/v1/responses" or row.host == "native")


def upstream_of(row: Row) -> bytes:
    """A provider's stream: a comment first, letters of several bytes, and CRLF in one event of three."""
    events = EVENTS[row.path if speaks_alike(row) else "/v1/chat/completions"]
    told = [one.replace(b"Hello", "Grüße 🙂".encode()) for one in events]
    return COMMENT + b"".join(
        one.replace(b"\n", b"\r\n") if place % 3 == 1 else one for place, one in enumerate(told)
    )


def rig_of(row: Row, clock: FakeClock) -> Rig:
    wire = "anthropic" if row.host == "claude" else "openai"
    provider = make_provider(wire=wire, has_responses=row.host == "native")
    model = make_model(make_deployment(provider=provider), pattern="*")
    return Rig(streams(), clock=clock, models=[model], effort=Effort(attempts=1))


def told_by(row: Row, sent: Sent) -> tuple[Any, Any]:
    """The events; doors of a prompt and a text tell what came in one packet as one piece."""
    assert sent.status == 200, sent.body
    if row.path not in PIECE:
        return "", NAMES.sub(rb"\1", sent.body)
    events = events_of(sent.body.decode())
    name, beside = PIECE[row.path]
    return told_in_pieces(events, name, **beside)


class Upstream:
    """A door on a provider that sends the packets that it is told."""

    def __init__(self, row: Row, clock: FakeClock) -> None:
        self._row = row
        self._rig = rig_of(row, clock)
        self._lane = lane_on(self._rig)

    async def told(self, packets: Iterable[bytes]) -> tuple[tuple[Any, Any], Usage]:
        """What the caller hears of these packets, and what is booked."""
        row, rig = self._row, self._rig
        rig.script.acts = [streams(*packets)]
        body, media = row.request("m")
        sent = await send_to(self._lane, row.path, body, media=media)
        return told_by(row, sent), rig.entries[-1].meters


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    rule_loop(clock, monkeypatch)
    return clock


@each_stream
async def test_two_packets_cut_at_any_byte_are_the_same_stream(row: Row, clock: FakeClock) -> None:
    upstream, stream = Upstream(row, clock), upstream_of(row)
    whole = await upstream.told([stream])
    for at in range(1, len(stream)):
        assert await upstream.told([stream[:at], stream[at:]]) == whole, stream[:at]
    assert await upstream.told([stream[at : at + 1] for at in range(len(stream))]) == whole


@each_stream
async def test_what_the_caller_hears_is_what_the_provider_said(row: Row, clock: FakeClock) -> None:
    """Byte for byte where they speak alike; else the words, whole."""
    stream = upstream_of(row)
    (text, rest), meters = await Upstream(row, clock).told([stream])
    assert meters.tokens == TOKENS[row.host]
    if row.path in PIECE:
        assert (text, rest[-1]) == (SAID, "[DONE]")
    elif speaks_alike(row):
        assert rest == NAMES.sub(rb"\1", without_counts(row, stream))
    else:
        assert SAID.encode() in rest


def without_counts(row: Row, stream: bytes) -> bytes:
    """Chats show their counts to those who ask for them, and this caller did not."""
    counts = [one for one in EVENTS[row.path] if b'"choices": []' in one]
    for one in counts:
        stream = stream.replace(one, b"").replace(one.replace(b"\n", b"\r\n"), b"")
    return stream


LONG_CHAT = [event(delta("x" * LONG)), DONE]
_begun, _ping, _opened, _delta, *_ended = anthropic_scripts.events({"type": "text", "text": "Hello"})
LONG_MESSAGE = [_begun, _ping, _opened, _delta.replace(b"Hello", b"x" * LONG), *_ended]
LARGE = {
    "/v1/chat/completions": ("stub", LONG_CHAT),
    "/v1/messages": ("claude", LONG_MESSAGE),
    "/stream": ("stub", LONG_CHAT),
}


@pytest.mark.parametrize("path", LARGE)
def test_an_event_of_five_megabytes_arrives_whole(
    calling: Calling, provider: ProviderStub, path: str
) -> None:
    caller, name, request = calling("passing"), fresh("large"), fresh("large")
    host, events = LARGE[path]
    provider.script(name, streams_events(events))
    row = next(row for row in STREAMED if row.path == path)
    answer = caller.post(row.request(f"{host}/{name}")[0], request, path)
    if path in PIECE:
        text, rest = told_in_pieces(events_of(answer.body.decode()), "chunk", finished=False)
        assert text == "x" * LONG
        assert rest[-1] == "[DONE]"
    else:
        assert answer.body == b"".join(events)
    assert caller.entry(request).status == "settled"
