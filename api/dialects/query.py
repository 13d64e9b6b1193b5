"""The dialect of `/query`, `/chat`, `/embeddings` and `/stream`: a prompt with a context, answered flatly."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from api.asgi import Headers
from api.plain_errors import render_error as render_error
from api.plain_errors import render_stream_error as render_stream_error
from api.telling.facts import Clearing, ProviderFact
from gateway.call import Ask, CacheWish, Call, Event, Outcome
from gateway.errors import ProviderMalformed
from gateway.plain import (
    TextReader,
    chat_ask,
    counts_of,
    dollars_of,
    embeddings_ask,
    is_cached,
    read_asked,
    read_text,
    read_vectors,
)
from gateway.sse import encode_event

NAME = "query"
CHAT = "chat"
"""The same words, within a conversation."""

_ANY = "auto"
_Text = Annotated[str, Meta(min_length=1)]
_encode = msgspec.json.Encoder().encode


class Query(Struct):
    """What is asked with a prompt."""

    prompt: _Text
    context: str | None = None
    provider: str | None = None
    model: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1 << 31)] | None = None
    user_id: str | None = None
    force_refresh: bool | None = None
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Embeddings(Struct):
    """What a vector is asked with."""

    text: _Text
    model: str | None = None
    provider: str | None = None
    user_id: str | None = None


class Reset(Struct):
    """Whose limits are to begin anew."""

    user_id: str | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """The answer and where it came from."""

    response: str
    provider: str
    tokens_used: int
    processing_time: float
    cost: float
    cached: bool
    correlation_id: str


class Turn(Answer, frozen=True, kw_only=True):
    """The answer in its conversation."""

    conversation_id: str
    turn: int


class Vector(Struct, frozen=True, kw_only=True):
    """A text's vector."""

    embeddings: list[float]
    model: str
    provider: str
    dimensions: int


_query = msgspec.json.Decoder(Query)
_embeddings = msgspec.json.Decoder(Embeddings)
_reset = msgspec.json.Decoder(Reset)
_clearing = msgspec.json.Decoder(Clearing)
_vector = msgspec.json.Decoder(list[float])


def parse_query(body: bytes, _: Headers) -> Ask:
    """One prompt."""
    return _ask(read_asked(_query, body))


def parse_chat(body: bytes, _: Headers) -> Ask:
    """One turn of a conversation."""
    return _ask(read_asked(_query, body), dialect=CHAT)


def parse_stream(body: bytes, _: Headers) -> Ask:
    """One prompt, answered as a stream."""
    return _ask(read_asked(_query, body), stream=True)


def parse_embeddings(body: bytes, _: Headers) -> Ask:
    """One text's vector."""
    asked = read_asked(_embeddings, body)
    return embeddings_ask(
        NAME,
        asked.text,
        model=asked.model or "",
        provider=_restriction(asked.provider),
        end_user=asked.user_id or "",
    )


def read_reset(body: bytes) -> str | None:
    """Whose limits are to begin anew; nobody named means the tenant's own."""
    return read_asked(_reset, body or b"{}").user_id


def read_clearing(body: bytes) -> Clearing:
    """Which answers are to be kept no longer."""
    return read_asked(_clearing, body or b"{}")


def render_reply(call: Call, outcome: Outcome) -> bytes:
    """The answer and where it came from."""
    if call.ask.kind == "embedding":
        return _render_vector(outcome)
    said = read_text(outcome.reply.body)
    answer = Answer(
        response=said.text,
        provider=outcome.served.provider,
        tokens_used=counts_of(said.counts, outcome.meters).total_tokens,
        processing_time=outcome.latency_ms / 1000,
        cost=dollars_of(outcome),
        cached=is_cached(outcome),
        correlation_id=call.origin.request_id,
    )
    if call.ask.dialect != CHAT:
        return _encode(answer)
    conversation = call.ask.conversation or f"conv_{call.id.hex}"
    return _encode(Turn(**asdict(answer), conversation_id=conversation, turn=1))


def _render_vector(outcome: Outcome) -> bytes:
    vectors = read_vectors(outcome.reply.body)
    try:
        vector = _vector.decode(vectors[0])
    except (IndexError, msgspec.DecodeError) as error:
        raise ProviderMalformed from error
    return _encode(
        Vector(
            embeddings=vector,
            model=outcome.served.model,
            provider=outcome.served.provider,
            dimensions=len(vector),
        )
    )


class _Stream:
    def __init__(self) -> None:
        self._reader = TextReader()

    def render(self, event: Event) -> bytes:
        """The text of what came."""
        text = self._reader.read(event)
        return _event({"chunk": text, "finished": False}) if text else b""

    def finish(self, outcome: Outcome) -> bytes:
        """The rest of the text, and the end."""
        rest = self.render(Event(outcome.reply.body))
        return rest + _event({"chunk": "", "finished": True}) + encode_event(b"[DONE]")


def open_stream(_: Call) -> _Stream:
    """Tells a stream."""
    return _Stream()


def render_providers(providers: Sequence[ProviderFact]) -> bytes:
    """Who serves the caller."""
    return _encode(
        {
            "providers": [
                {
                    "name": one.name,
                    "type": one.type,
                    "model": one.default_model,
                    "security_level": one.security_level,
                    "cost_per_token": one.cost_per_token,
                    "status": one.status,
                }
                for one in providers
            ]
        }
    )


def _ask(asked: Query, *, dialect: str = NAME, stream: bool = False) -> Ask:
    return chat_ask(
        dialect,
        asked.prompt,
        model=asked.model or "",
        system=asked.context or "",
        stream=stream,
        provider=_restriction(asked.provider),
        end_user=asked.user_id or "",
        conversation=asked.conversation_id or "",
        cache=CacheWish(asks=True, reads=not asked.force_refresh),
        temperature=asked.temperature,
        max_tokens=asked.max_tokens,
    )


def _restriction(provider: str | None) -> str:
    return "" if provider in (None, _ANY) else provider


def _event(told: dict[str, Any]) -> bytes:
    return encode_event(_encode(told))
