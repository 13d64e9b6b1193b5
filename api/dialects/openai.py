"""OpenAI's dialect: chat completions, embeddings, models; `api/openai_bodies.py` reads its other bodies."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from api import openai_errors
from api.asgi import Headers
from api.openai_bodies import FORMAT, Count, Few, StreamOptions, Text, validated, wants_usage
from api.openai_bodies import NAME as NAME
from gateway.call import Ask, Call, Outcome
from gateway.catalog import Model
from gateway.errors import GatewayError
from gateway.members import join_members, read_members
from gateway.sse import encode_event

_encode = msgspec.json.Encoder().encode
_raw_members = msgspec.json.Decoder(dict[str, Raw])


class Counted(Struct):
    usage: Raw = Raw()


class Message(Struct):
    """One turn of a chat."""

    role: str


class Chat(Struct):
    """What a chat is asked with; members that are not named here go through as well."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Few | None = None
    user: str | None = None


class Embeddings(Struct):
    """What vectors are asked with."""

    input: Text | Annotated[list[str | int | list[int]], Meta(min_length=1)]
    model: str | None = None
    user: str | None = None
    dimensions: Count | None = None


_counted = msgspec.json.Decoder(Counted)
_chat = msgspec.json.Decoder(Chat)
_embeddings = msgspec.json.Decoder(Embeddings)


def parse_chat(body: bytes, _: Headers) -> Ask:
    """A chat completion."""
    members = read_members(body)
    chat = validated(_chat, body)
    return Ask(
        dialect=NAME,
        kind="chat",
        format=FORMAT,
        model=chat.model or "",
        body=body,
        members=members,
        stream=bool(chat.stream),
        wants_usage=wants_usage(chat.stream, chat.stream_options),
        end_user=chat.user or "",
        max_output=max(chat.max_tokens or 0, chat.max_completion_tokens or 0) or None,
        choices=chat.n or 1,
    )


def parse_embeddings(body: bytes, _: Headers) -> Ask:
    """Embeddings, of texts or of tokens."""
    members = read_members(body)
    asked = validated(_embeddings, body)
    return Ask(
        dialect=NAME,
        kind="embedding",
        format=FORMAT,
        model=asked.model or "",
        body=body,
        members=members,
        end_user=asked.user or "",
    )


def render_reply(call: Call, outcome: Outcome) -> bytes:
    """The provider's own bytes; a chat's usage says beside its counts whether it came from the cache."""
    body = outcome.reply.body
    if call.ask.task != "chat":
        return body
    flag = b'"from_cache":true' if outcome.served.cache == "hit" else b'"from_cache":false'
    usage = outcome.reply.counts or bytes(_counted.decode(body).usage).strip()
    if usage.startswith(b"{"):
        counts = usage[1:].lstrip()
        told = b"".join((b"{", flag, b"" if counts == b"}" else b",", counts))
        at = body.find(usage)
        if at >= 0 and body.find(usage, at + 1) < 0:
            return b"".join((body[:at], told, body[at + len(usage) :]))
    else:
        told = b"{%b}" % flag
    return join_members({**_raw_members.decode(body), "usage": told})


def open_stream(_: Call) -> None:
    """The provider's own events go through."""


def render_error(error: GatewayError, request_id: str) -> bytes:
    """OpenAI's error envelope."""
    return openai_errors.render_error(error, request_id)


def render_stream_error(error: GatewayError, request_id: str) -> bytes:
    """An error in the middle of a stream; no end marker follows it."""
    return encode_event(render_error(error, request_id))


def render_models(models: Iterable[Model]) -> bytes:
    """The list of models."""
    return _encode({"object": "list", "data": [_model(model) for model in models]})


def render_model(model: Model) -> bytes:
    """One model."""
    return _encode(_model(model))


def _model(model: Model) -> dict[str, Any]:
    owner = model.deployments[0].provider.name if model.deployments else "gateway"
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": owner}
