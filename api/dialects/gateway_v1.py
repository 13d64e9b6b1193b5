"""The dialect of `/api/v1/gateway/…`: a prompt in, an envelope of `success` and `data` out."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from api.asgi import Headers
from api.telling.facts import LimitsFact, ProviderFact
from gateway.call import Ask, Call, Event, Outcome
from gateway.errors import GatewayError
from gateway.plain import (
    Counts,
    TextReader,
    chat_ask,
    counts_of,
    embeddings_ask,
    read_asked,
    read_text,
    read_vectors,
)
from gateway.sse import encode_event

NAME = "gateway_v1"

_Text = Annotated[str, Meta(min_length=1)]
_encode = msgspec.json.Encoder().encode


class Generate(Struct):
    """What a text is asked with."""

    prompt: _Text
    model: str | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1 << 31)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    stream: bool | None = None


class Embeddings(Struct):
    """What vectors are asked with."""

    texts: Annotated[list[_Text], Meta(min_length=1)]
    model: str | None = None


class Text(Struct, frozen=True, kw_only=True):
    """A text that a model wrote."""

    text: str
    model: str
    usage: Counts
    finish_reason: str | None


class TextAnswer(Struct, frozen=True, kw_only=True):
    """The envelope of a text."""

    success: bool = True
    data: Text


class Total(Struct, frozen=True, kw_only=True):
    """How much was read."""

    total_tokens: int


class Vectors(Struct, frozen=True, kw_only=True):
    """A vector for each text."""

    embeddings: list[Raw]
    model: str
    usage: Total


class VectorsAnswer(Struct, frozen=True, kw_only=True):
    """The envelope of vectors."""

    success: bool = True
    data: Vectors


_generate = msgspec.json.Decoder(Generate)
_embeddings = msgspec.json.Decoder(Embeddings)


def parse_generate(body: bytes, _: Headers) -> Ask:
    """A text, whole or as a stream."""
    asked = read_asked(_generate, body)
    return _chat(asked, stream=bool(asked.stream))


def parse_stream(body: bytes, _: Headers) -> Ask:
    """A text as a stream."""
    return _chat(read_asked(_generate, body), stream=True)


def parse_embeddings(body: bytes, _: Headers) -> Ask:
    """A vector for each text."""
    asked = read_asked(_embeddings, body)
    return embeddings_ask(NAME, asked.texts, model=asked.model or "")


def render_reply(call: Call, outcome: Outcome) -> bytes:
    """The envelope."""
    if call.ask.kind == "embedding":
        vectors = Vectors(
            embeddings=read_vectors(outcome.reply.body),
            model=outcome.served.model,
            usage=Total(total_tokens=outcome.meters.tokens),
        )
        return _encode(VectorsAnswer(data=vectors))
    said = read_text(outcome.reply.body)
    text = Text(
        text=said.text,
        model=outcome.served.model,
        usage=counts_of(said.counts, outcome.meters),
        finish_reason=said.finish_reason,
    )
    return _encode(TextAnswer(data=text))


class _Stream:
    def __init__(self, model: str) -> None:
        self._reader = TextReader()
        self._model = model

    def render(self, event: Event) -> bytes:
        """The text of what came."""
        text = self._reader.read(event)
        return encode_event(_encode({"text": text, "model": self._model})) if text else b""

    def finish(self, outcome: Outcome) -> bytes:
        """The rest of the text, how it ended, and the end marker."""
        self._model = outcome.served.model
        rest = self.render(Event(outcome.reply.body))
        last = {
            "text": "",
            "finish_reason": self._reader.finish_reason,
            "usage": counts_of(self._reader.counts, outcome.meters),
        }
        return rest + encode_event(_encode(last)) + encode_event(b"[DONE]")


def open_stream(call: Call) -> _Stream:
    """Tells a stream."""
    return _Stream(call.ask.model)


def render_error(error: GatewayError, request_id: str) -> bytes:
    """The envelope of what went wrong."""
    told = {"code": error.code, "message": error.message, "request_id": request_id}
    return _encode({"success": False, "error": told})


def render_stream_error(error: GatewayError, request_id: str) -> bytes:
    """An error in the middle of a stream; no end marker follows it."""
    return encode_event(render_error(error, request_id))


def render_providers(providers: Sequence[ProviderFact]) -> bytes:
    """Who serves the caller."""
    return _told(
        {
            "providers": [
                {
                    "name": one.name,
                    "status": one.status,
                    "models": one.models,
                    "type": one.type,
                    "security_level": one.security_level,
                }
                for one in providers
            ]
        }
    )


def render_limits(limits: LimitsFact) -> bytes:
    """How far the caller's limits are used."""
    return _told({"limits": limits.limits})


def _chat(asked: Generate, *, stream: bool) -> Ask:
    return chat_ask(
        NAME,
        asked.prompt,
        model=asked.model or "",
        stream=stream,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
    )


def _told(data: Any) -> bytes:
    return _encode({"success": True, "data": data})
