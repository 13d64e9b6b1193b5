"""A stream of events that say by `type` what they are: responses, sounds, pictures, writing down."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import errors
from gateway.call import Kind
from gateway.failures import failure_of
from gateway.following import Following
from gateway.members import is_given
from gateway.metering import openai_usage

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


class TypedStream(Following):
    """Keeps the event that names the whole back."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind

    def _follow(self, event: bytes, data: bytes) -> bool:
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
