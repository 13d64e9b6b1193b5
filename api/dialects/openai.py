"""OpenAI's dialect: chat completions, embeddings, models, and OpenAI's error envelope."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.call import Ask, Outcome
from gateway.catalog import Model
from gateway.errors import GatewayError, InvalidRequest
from gateway.members import join_members, read_members
from gateway.sse import encode_event

NAME = "openai"
FORMAT = "openai"

_Count = Annotated[int, Meta(ge=1, le=1 << 31)]
_Text = Annotated[str, Meta(min_length=1)]

_TYPES: Mapping[str, str] = {
    "rate_limited": "rate_limit_error",
    "concurrency_limited": "rate_limit_error",
    "provider_rate_limited": "rate_limit_error",
    "budget_exceeded": "insufficient_quota",
    "invalid_api_key": "authentication_error",
    "forbidden": "permission_error",
}

_Asked = TypeVar("_Asked")

_encode = msgspec.json.Encoder().encode
_raw_members = msgspec.json.Decoder(dict[str, Raw])


class _Counted(Struct):
    usage: Raw = Raw()


class _Message(Struct):
    role: str


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Chat(Struct):
    messages: Annotated[list[_Message], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    user: str | None = None


class _Embeddings(Struct):
    input: _Text | Annotated[list[str | int | list[int]], Meta(min_length=1)]
    model: str | None = None
    user: str | None = None
    dimensions: _Count | None = None


_counted = msgspec.json.Decoder(_Counted)
_chat = msgspec.json.Decoder(_Chat)
_embeddings = msgspec.json.Decoder(_Embeddings)


def parse_chat(body: bytes) -> Ask:
    """A chat completion."""
    members = read_members(body)
    chat = _validated(_chat, body)
    options = chat.stream_options
    return Ask(
        dialect=NAME,
        kind="chat",
        format=FORMAT,
        model=chat.model or "",
        body=body,
        members=members,
        stream=bool(chat.stream),
        wants_usage=bool(options is not None and options.include_usage) or not chat.stream,
        end_user=chat.user or "",
        max_output=max(chat.max_tokens or 0, chat.max_completion_tokens or 0) or None,
        choices=chat.n or 1,
    )


def parse_embeddings(body: bytes) -> Ask:
    """Embeddings, of texts or of tokens."""
    members = read_members(body)
    asked = _validated(_embeddings, body)
    return Ask(
        dialect=NAME,
        kind="embedding",
        format=FORMAT,
        model=asked.model or "",
        body=body,
        members=members,
        end_user=asked.user or "",
    )


def render_reply(ask: Ask, outcome: Outcome) -> bytes:
    """The provider's own bytes; a chat's usage says beside its counts whether it came from the cache."""
    body = outcome.reply.body
    if ask.kind != "chat":
        return body
    flag = b'"from_cache":true' if outcome.served.cache == "hit" else b'"from_cache":false'
    usage = outcome.reply.counts or bytes(_counted.decode(body).usage).strip()
    if usage.startswith(b"{"):
        counts = usage[1:].lstrip()
        told = b"{%b%b%b" % (flag, b"" if counts == b"}" else b",", counts)
        if body.count(usage) == 1:
            return body.replace(usage, told)
    else:
        told = b"{%b}" % flag
    return join_members({**_raw_members.decode(body), "usage": told})


def render_error(error: GatewayError, request_id: str) -> bytes:
    """OpenAI's error envelope."""
    return _encode({"error": _told(error), "request_id": request_id})


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


def _told(error: GatewayError) -> dict[str, Any]:
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    kind = _TYPES.get(error.code, fallback)
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}


def _validated(decoder: msgspec.json.Decoder[_Asked], body: bytes) -> _Asked:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        told, _, path = str(error).partition(" - at `$.")
        raise InvalidRequest(f"{told}." if path else str(error), param=path.rstrip("`") or None) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("The request body is not valid JSON, or nested too deeply.") from error
