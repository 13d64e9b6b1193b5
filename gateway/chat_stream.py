"""A streamed chat, or completion, in OpenAI's format."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import errors
from gateway.call import Event, Usage
from gateway.failures import failure_of
from gateway.members import is_given
from gateway.metering import openai_usage
from gateway.sse import Frames, event_data

_DONE = b"[DONE]"
_encode = msgspec.json.Encoder().encode


class _Choice(Struct):
    delta: dict[str, Any] | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    service_tier: str | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_chunk = msgspec.json.Decoder(_Chunk)


class ChatStream:
    """Follows a stream and passes its events on as they came.

    The end marker is kept back as `tail`: it goes out when the ledger has the call. The usage chunk
    is hidden from a caller who did not ask for it.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self.meaningful = False
        self.finished = False
        self.failure: errors.ProviderError | None = None
        self.usage: Usage | None = None
        self.service_tier = ""
        self.tail = b""
        self.delivered: list[str] = []
        self._frames = Frames()
        self._hides_usage = hides_usage

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
            self.finished = True
            self.tail = event
            return False
        return self._follow(data)

    def _follow(self, data: bytes) -> bool:
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.failure = errors.ProviderMalformed()
            return False
        if is_given(chunk.error):
            self.failure = failure_of(500, {}, b'{"error":%b}' % chunk.error)
            return False
        for choice in chunk.choices or ():
            self._take(choice)
        if chunk.service_tier:
            self.service_tier = chunk.service_tier
        if not is_given(chunk.usage):
            return True
        self.usage = openai_usage(chunk.usage) or self.usage
        return bool(chunk.choices) or not self._hides_usage

    def _take(self, choice: _Choice) -> None:
        if choice.finish_reason is not None:
            self.meaningful = True
        delta = choice.delta
        text = choice.text if delta is None else delta.get("content") or delta.get("reasoning_content")
        if delta and not text and "tool_calls" in delta:
            text = _encode(delta["tool_calls"]).decode()
        if text and isinstance(text, str):
            self.meaningful = True
            self.delivered.append(text)
        elif delta and not self.meaningful:
            self.meaningful = any(value for name, value in delta.items() if name != "role")
