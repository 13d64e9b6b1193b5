"""The socket's dialect: frames of JSON text; each is about one request, which its `id` names."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from gateway.call import Ask, Event, Outcome
from gateway.errors import FailedValidation, GatewayError, ProviderMalformed
from gateway.members import read_members
from gateway.plain import (
    Counts,
    TextReader,
    counts_of,
    dollars_of,
    is_cached,
    messages_ask,
    read_asked,
    read_text,
)
from gateway.sse import Frames, event_data

NAME = "socket"
LONGEST_ID = 128

_Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
_Count = Annotated[int, Meta(ge=1, le=1 << 31)]
_CALLS = b'"tool_calls"'
_DONE = b"[DONE]"
_encode = msgspec.json.Encoder().encode


class _Head(Struct):
    id: Any = None


class _Asked(Struct, kw_only=True, tag_field="type", tag="generate"):
    id: _Id
    prompt: Annotated[str, Meta(min_length=1)] | None = None
    messages: Annotated[list[dict[str, Any]], Meta(min_length=1)] | None = None
    model: str | None = None
    stream: bool | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    user: str | None = None
    request_id: str | None = None
    idempotency_key: str | None = None
    tags: dict[str, str] | None = None
    timeout: float | None = None
    cache: str | None = None


class Cancel(Struct, frozen=True, kw_only=True, tag_field="type", tag="cancel"):
    """A request is not wanted any more."""

    id: _Id


class Wishes(Struct, frozen=True, kw_only=True):
    """What a frame says that would be a header of a call over HTTP."""

    request_id: str = ""
    idempotency_key: str = ""
    tags: dict[str, str] = {}
    timeout: float | None = None
    cache: str = ""


class Generate(Struct, frozen=True, kw_only=True):
    """A request begins."""

    id: str
    ask: Ask
    wishes: Wishes


class _Call(Struct):
    tool_calls: list[Raw] | None = None


class _Choice(Struct):
    message: _Call | None = None
    delta: _Call | None = None


class _Told(Struct):
    choices: list[_Choice] | None = None


_OURS = frozenset({"type", *_Asked.__struct_fields__, "stream_options"}) - {"user", "max_completion_tokens"}
"""Members that are not passed on as they are; all others are OpenAI's, or the provider's own."""

_head = msgspec.json.Decoder(_Head)
_frame = msgspec.json.Decoder(_Asked | Cancel)
_told = msgspec.json.Decoder(_Told)


def read_id(frame: bytes) -> str | None:
    """Whose frame it is, as far as that can be read out of one that may be wrong."""
    try:
        told = _head.decode(frame).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return told if isinstance(told, str) and len(told) <= LONGEST_ID else None


def parse_frame(frame: bytes) -> Generate | Cancel:
    """What the caller wants."""
    asked = read_asked(_frame, frame)
    if isinstance(asked, Cancel):
        return asked
    wishes = Wishes(
        request_id=asked.request_id or "",
        idempotency_key=asked.idempotency_key or "",
        tags=asked.tags or {},
        timeout=asked.timeout,
        cache=asked.cache or "",
    )
    return Generate(id=asked.id, ask=_ask(asked, frame), wishes=wishes)


def render_error(name: str | None, error: GatewayError, request_id: str = "") -> bytes:
    """What went wrong, and when it makes sense to try again."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    told |= {"param": error.param} if error.param else {}
    told |= {} if error.pause is None else {"retry_after": error.pause}
    frame = {"id": name, "type": "error", "error": told}
    return _encode(frame | ({"request_id": request_id} if request_id else {}))


def render_cancelled(name: str) -> bytes:
    """A request is over, as it was asked to be."""
    return _encode({"id": name, "type": "cancelled"})


def render_reply(name: str, outcome: Outcome, request_id: str) -> bytes:
    """A whole answer in one frame."""
    body = outcome.reply.body
    said, calls = read_text(body), _calls_in(body) if _CALLS in body else []
    whole = {"text": said.text} | ({"tool_calls": calls} if calls else {})
    return _done(name, outcome, request_id, said.counts, said.finish_reason, whole)


class Telling:
    """Tells one stream."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reader = TextReader()
        self._frames = Frames()

    def render(self, event: Event) -> bytes:
        """What came, if there is something to tell; pieces of tool calls are the provider's own."""
        text, calls = self._reader.read(event), self._calls(event)
        if not text and not calls:
            return b""
        told = {"id": self._name, "type": "delta", "text": text}
        return _encode(told | ({"tool_calls": calls} if calls else {}))

    def finish(self, outcome: Outcome, request_id: str) -> bytes:
        """How it ended; everything was told before."""
        return _done(self._name, outcome, request_id, self._reader.counts, self._reader.finish_reason, {})

    def _calls(self, event: Event) -> list[Raw]:
        if _CALLS not in event.data:
            return []
        told = [data for data in map(event_data, self._frames.feed(event.data)) if data and data != _DONE]
        return [call for data in told for call in _calls_in(data)]


def _ask(asked: _Asked, frame: bytes) -> Ask:
    if (asked.prompt is None) == (asked.messages is None):
        raise FailedValidation("Give either a prompt or messages.", param="prompt")
    options: dict[str, Any] = {
        name: value for name, value in read_members(frame).items() if name not in _OURS
    }
    ask = messages_ask(
        NAME,
        asked.messages or [{"role": "user", "content": asked.prompt}],
        model=asked.model or "",
        stream=asked.stream is not False,
        options=options | {"max_tokens": asked.max_tokens},
    )
    most = max(asked.max_tokens or 0, asked.max_completion_tokens or 0) or None
    return replace(ask, end_user=asked.user or "", max_output=most)


def _calls_in(body: bytes) -> list[Raw]:
    """The tool calls of the first choice, in the provider's bytes."""
    try:
        choices = _told.decode(body).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderMalformed from error
    told = (choices[0].message or choices[0].delta) if choices else None
    return (told.tool_calls if told else None) or []


def _done(
    name: str,
    outcome: Outcome,
    request_id: str,
    counts: Counts | None,
    finish_reason: str | None,
    whole: dict[str, Any],
) -> bytes:
    told = {
        "usage": counts_of(counts, outcome.meters),
        "cost": dollars_of(outcome),
        "model": outcome.served.model,
        "provider": outcome.served.provider,
        "finish_reason": finish_reason,
        "cached": is_cached(outcome),
        "request_id": request_id,
    }
    return _encode({"id": name, "type": "done", **whole, **told})
