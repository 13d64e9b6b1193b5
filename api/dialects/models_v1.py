"""The dialect of `/api/v1/generate` and `/api/v1/models`: plain objects, errors under `error`."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api.asgi import Headers
from api.plain_errors import render_error as render_error
from api.plain_errors import render_stream_error as render_stream_error
from api.telling.facts import ModelFact
from gateway.call import Ask, Call, Event, Outcome
from gateway.plain import (
    Counts,
    TextReader,
    chat_ask,
    counts_of,
    dollars_of,
    is_cached,
    read_asked,
    read_text,
)
from gateway.sse import encode_event

NAME = "models_v1"

_encode = msgspec.json.Encoder().encode


class Generate(Struct):
    """What a text is asked with."""

    prompt: Annotated[str, Meta(min_length=1)]
    model: str | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1 << 31)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    stream: bool | None = None


class Text(Struct, frozen=True, kw_only=True):
    """The text and all there is to know of it."""

    id: str
    model: str
    provider: str
    text: str
    finish_reason: str | None
    usage: Counts
    cost: float
    cached: bool
    latency_ms: int


class Models(Struct, frozen=True, kw_only=True):
    """What the caller may use."""

    models: Sequence[ModelFact]


_generate = msgspec.json.Decoder(Generate)


def parse_generate(body: bytes, _: Headers) -> Ask:
    """A text, whole or as a stream."""
    asked = read_asked(_generate, body)
    return chat_ask(
        NAME,
        asked.prompt,
        model=asked.model or "",
        stream=bool(asked.stream),
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
    )


def render_reply(call: Call, outcome: Outcome) -> bytes:
    """The text and all there is to know of it."""
    said = read_text(outcome.reply.body)
    text = Text(
        id=str(call.id),
        model=outcome.served.model,
        provider=outcome.served.provider,
        text=said.text,
        finish_reason=said.finish_reason,
        usage=counts_of(said.counts, outcome.meters),
        cost=dollars_of(outcome),
        cached=is_cached(outcome),
        latency_ms=outcome.latency_ms,
    )
    return _encode(text)


class _Stream:
    def __init__(self) -> None:
        self._reader = TextReader()

    def render(self, event: Event) -> bytes:
        """The text of what came."""
        text = self._reader.read(event)
        return _event({"text": text, "done": False}) if text else b""

    def finish(self, outcome: Outcome) -> bytes:
        """The rest of the text, how it ended, and the end marker."""
        rest = self.render(Event(outcome.reply.body))
        last = {
            "text": "",
            "done": True,
            "finish_reason": self._reader.finish_reason,
            "usage": counts_of(self._reader.counts, outcome.meters),
            "model": outcome.served.model,
            "provider": outcome.served.provider,
        }
        return rest + _event(last) + encode_event(b"[DONE]")


def open_stream(_: Call) -> _Stream:
    """Tells a stream."""
    return _Stream()


def render_models(models: Sequence[ModelFact]) -> bytes:
    """What the caller may use."""
    return _encode(Models(models=models))


def _event(told: dict[str, Any]) -> bytes:
    return encode_event(_encode(told))
