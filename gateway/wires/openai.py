"""OpenAI's wire format: what vLLM, Ollama's /v1, DeepSeek, Mistral and most other hosts speak too.

A request that comes in this format goes out byte for byte, but for the members that are ours to
edit; an answer goes back untouched.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway import errors
from gateway.bearer import bearer_request
from gateway.call import JSON, Ask, Reply, Usage
from gateway.catalog import Deployment
from gateway.chat_stream import ChatStream
from gateway.exchange import Request
from gateway.failures import failure_of
from gateway.forms import add_field, edit_field, read_form
from gateway.members import is_given, join_members
from gateway.metering import openai_usage
from gateway.sounds import read_speech, read_writing
from gateway.texts import texts_in
from gateway.typed_stream import TypedStream

FORMAT = "openai"
PATHS: Mapping[str, str] = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embedding": "/embeddings",
    "image": "/images/generations",
    "moderation": "/moderations",
    "rerank": "/rerank",
    "response": "/responses",
    "speech": "/audio/speech",
    "transcription": "/audio/transcriptions",
}
PASSED_HEADERS = frozenset({"openai-processing-ms", "openai-version", "openai-model"})

_PAYLOADS: Mapping[str, str] = {
    "chat": "choices",
    "completion": "choices",
    "embedding": "data",
    "image": "data",
    "moderation": "results",
    "rerank": "results",
    "response": "output",
}
"""Where in an answer that stands which was asked for."""

_MOST_SEARCHES = 1_000_000

_encode = msgspec.json.Encoder().encode
_options = msgspec.json.Decoder(dict[str, Raw])


class _Units(Struct):
    search_units: int | float | None = None


class _Meta(Struct):
    billed_units: _Units | None = None


class _Body(Struct):
    usage: Raw = Raw()
    service_tier: str | None = None
    choices: list[Raw] | None = None
    data: list[Raw] | None = None
    results: list[Raw] | None = None
    output: list[Raw] | None = None
    status: str | None = None
    meta: Raw = Raw()


_body = msgspec.json.Decoder(_Body)
_meta = msgspec.json.Decoder(_Meta)


def build_request(ask: Ask, deployment: Deployment) -> Request:
    """The provider's request for an ask that came in this format."""
    is_form = ask.media != JSON
    body = _edited_form(ask, deployment) if is_form else _edited_body(ask, deployment)
    return bearer_request(deployment.provider, PATHS[ask.task], body, ask.media)


def _edited_body(ask: Ask, deployment: Deployment) -> bytes:
    """The body as it came, but for the members that are ours to edit."""
    asks_usage = ask.stream and deployment.provider.includes_usage
    if asks_usage and ask.wants_usage:  # perhaps it asks itself
        asks_usage = ask.task == "chat" and "stream_options" not in ask.members
    if deployment.upstream == ask.model and not asks_usage:
        return ask.body
    members: dict[str, Raw | bytes] = {**ask.members, "model": _encode(deployment.upstream)}
    if asks_usage:
        given = ask.members.get("stream_options")
        options = _options.decode(given) if given is not None and bytes(given) != b"null" else {}
        members["stream_options"] = join_members({**options, "include_usage": b"true"})
    return join_members(members)


def _edited_form(ask: Ask, deployment: Deployment) -> bytes:
    """The form as it came, but for the name of the model."""
    if deployment.upstream == ask.model:
        return ask.body
    named = [field for field in read_form(ask.body, ask.media) if field.name == "model"]
    upstream = deployment.upstream.encode()
    if named:
        return edit_field(ask.body, named[0], upstream)
    return add_field(ask.body, ask.media, "model", upstream)


def read_reply(ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
    """A whole answer, its bytes untouched."""
    passed = {name: value for name, value in headers.items() if name in PASSED_HEADERS}
    if ask.kind == "speech":
        return read_speech(headers, body, passed)
    if ask.kind == "transcription":
        return read_writing(ask, headers, body, passed)
    try:
        read = _body.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise errors.ProviderMalformed from error
    payload: list[Raw] | None = getattr(read, _PAYLOADS[ask.task])
    if read.status == "failed":
        raise failure_of(500, {}, b"")
    if payload is None:
        raise errors.ProviderMalformed
    usage = _usage(ask, read, payload)
    return Reply(
        status=200,
        content_type=headers.get("content-type", JSON),
        body=body,
        headers=passed,
        usage=usage,
        counts=bytes(read.usage),
        service_tier=read.service_tier or "",
        texts=() if usage is not None or ask.kind != "chat" else _said(payload),
        empty=not payload and read.status != "incomplete",
    )


def _usage(ask: Ask, read: _Body, payload: list[Raw]) -> Usage | None:
    """What was counted: by the provider, or where it is plain to see."""
    told = openai_usage(read.usage, ask.kind) if is_given(read.usage) else None
    if ask.kind == "image":
        return replace(told or Usage(), image=len(payload))
    if told is not None or is_given(read.usage):
        return told
    if ask.kind == "rerank" and is_given(read.meta):
        return _searches(read.meta)
    return None


def _searches(meta: Raw) -> Usage | None:
    try:
        units = _meta.decode(meta).billed_units
    except msgspec.DecodeError:
        return None
    count = units.search_units if units is not None else None
    return Usage(search=-int(-count // 1)) if count is not None and 0 < count < _MOST_SEARCHES else None


def _said(choices: list[Raw]) -> tuple[str, ...]:
    return tuple(text for choice in choices for text in texts_in(choice))


def read_failure(status: int, headers: Mapping[str, str], body: bytes) -> errors.ProviderError:
    """An answer that is an error."""
    return failure_of(status, headers, body)


def open_stream(ask: Ask) -> ChatStream | TypedStream:
    """A reader for one streamed answer."""
    if ask.task in ("chat", "completion"):
        return ChatStream(hides_usage=not ask.wants_usage)
    return TypedStream(ask.kind)
