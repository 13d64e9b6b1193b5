"""A streamed chat, or completion, in OpenAI's format."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import errors
from gateway.failures import failure_of
from gateway.following import Following
from gateway.members import is_given
from gateway.metering import openai_usage

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


class ChatStream(Following):
    """Hides the usage chunk from a caller who did not ask for it."""

    def __init__(self, *, hides_usage: bool) -> None:
        super().__init__()
        self._hides_usage = hides_usage

    def _follow(self, event: bytes, data: bytes) -> bool:
        if data == _DONE:
            self.finished = True
            self.tail = event
            return False
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
