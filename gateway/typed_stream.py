"""A stream of events that say by `type` what they are: responses, sounds, pictures, writing down."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import errors
from gateway.call import Event, Kind, Usage
from gateway.failures import failure_of
from gateway.members import is_given
from gateway.metering import openai_usage
from gateway.sse import Frames, event_data

_ENDS = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "transcript.text.done",
        "speech.audio.done",
        "image_generation.completed",
    }
)
_FAILURES = frozenset({"error", "response.failed"})
_COMMITTING = (".delta", ".done", ".partial_image", ".output_item.added")
_DONE = b"[DONE]"


class _Whole(Struct, frozen=True):
    usage: Raw = Raw()
    service_tier: Any = None


class _Told(Struct):
    type: str = ""
    delta: Any = None
    usage: Raw = Raw()
    response: _Whole | None = None
    error: Raw = Raw()


_told = msgspec.json.Decoder(_Told)


class TypedStream:
    """Follows a stream and passes its events on as they came; the last one is kept back as `tail`."""

    def __init__(self, kind: Kind) -> None:
        self.meaningful = False
        self.finished = False
        self.failure: errors.ProviderError | None = None
        self.usage: Usage | None = None
        self.service_tier = ""
        self.tail = b""
        self.delivered: list[str] = []
        self._kind = kind
        self._frames = Frames()

    def feed(self, chunk: bytes) -> Event | None:
        """What of this chunk goes on to the caller."""
        passed = [event for event in self._frames.feed(chunk) if self._passes(event)]
        return Event(b"".join(passed)) if passed else None

    def _passes(self, event: bytes) -> bool:
        if self.finished or self.failure is not None:
            return False
        data = event_data(event)
        if data is None:
            return True
        if data == _DONE:
            return False
        try:
            told = _told.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.failure = errors.ProviderMalformed()
            return False
        if told.type in _FAILURES or is_given(told.error):
            self.failure = failure_of(500, {}, b"")
            return False
        self._take(told)
        if told.type in _ENDS:
            self.meaningful = self.finished = True
            self.tail = event
        return not self.finished

    def _take(self, told: _Told) -> None:
        self.meaningful = self.meaningful or told.type.endswith(_COMMITTING)
        if isinstance(told.delta, str):
            self.delivered.append(told.delta)
        whole = told.response or _Whole()
        if isinstance(whole.service_tier, str):
            self.service_tier = whole.service_tier
        counts = told.usage if is_given(told.usage) else whole.usage
        if is_given(counts):
            self.usage = openai_usage(counts, self._kind) or self.usage
