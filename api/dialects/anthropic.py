"""Anthropic's dialect: messages, the counting of their tokens, models, and Anthropic's error envelope."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.asgi import Headers
from gateway.call import Ask, Call, Outcome
from gateway.catalog import Model
from gateway.errors import GatewayError, InvalidRequest
from gateway.members import read_members
from gateway.sse import encode_event

NAME = "anthropic"
FORMAT = "anthropic"

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_BETA = re.compile(r"([a-z0-9-]{1,64})-(?:\d{4}-\d{2}-\d{2}|\d{8})")
_MISSING = re.compile(r"Object missing required field `(.+)`")

_BETAS = frozenset(
    {
        "adaptive-thinking",
        "advanced-tool-use",
        "cache-diagnosis",
        "claude-code",
        "code-execution",
        "computer-use",
        "context-management",
        "dev-full-thinking",
        "effort",
        "extended-cache-ttl",
        "files-api",
        "fine-grained-tool-streaming",
        "interleaved-thinking",
        "max-tokens-3-5-sonnet",
        "mcp-client",
        "model-context-window-exceeded",
        "output-128k",
        "output-300k",
        "pdfs",
        "prompt-caching",
        "prompt-caching-scope",
        "redact-thinking",
        "search-results",
        "skills",
        "structured-outputs",
        "task-budgets",
        "thinking-display-updates",
        "thinking-token-count",
        "token-counting",
        "token-efficient-tools",
        "tool-examples",
        "tool-search-tool",
        "web-fetch",
        "web-search",
    }
)
"""Betas that change neither what a call may cost beyond its bound nor how its usage is read.

Left out are those of a larger context window, of a second model in the same call, and of summaries
that are billed beside the answer: an operator who has made room for them names them at the provider.
"""

_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_Asked = TypeVar("_Asked")

_encode = msgspec.json.Encoder().encode


class Message(Struct):
    """One turn of a conversation."""

    role: str


class Metadata(Struct):
    """Who speaks."""

    user_id: str | None = None


class Prompt(Struct):
    """What is to be counted."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str | None = None


class Messages(Prompt, kw_only=True):
    """What a message is asked with; members that are not named here go through as well."""

    max_tokens: Annotated[int, Meta(ge=0, le=1 << 31)]
    stream: bool | None = None
    metadata: Metadata | None = None


_prompt = msgspec.json.Decoder(Prompt)
_messages = msgspec.json.Decoder(Messages)


def parse_message(body: bytes, headers: Headers) -> Ask:
    """The next message of a conversation."""
    members = read_members(body)
    asked = _validated(_messages, body)
    return Ask(
        dialect=NAME,
        kind="chat",
        operation="message",
        format=FORMAT,
        model=asked.model or "",
        body=body,
        members=members,
        stream=bool(asked.stream),
        end_user=(asked.metadata.user_id if asked.metadata else None) or "",
        max_output=asked.max_tokens,
        headers=_passed(headers),
    )


def parse_count(body: bytes, headers: Headers) -> Ask:
    """How many tokens such a conversation has."""
    members = read_members(body)
    asked = _validated(_prompt, body)
    return Ask(
        dialect=NAME,
        kind="count",
        operation="count_tokens",
        format=FORMAT,
        model=asked.model or "",
        body=body,
        members=members,
        headers=_passed(headers),
    )


def render_reply(_: Call, outcome: Outcome) -> bytes:
    """The provider's own bytes."""
    return outcome.reply.body


def open_stream(_: Call) -> None:
    """The provider's own events go through."""


def render_error(error: GatewayError, request_id: str) -> bytes:
    """Anthropic's error envelope; our own code for the cause stands where its clients look for one."""
    fallback = "api_error" if error.status >= 500 else "invalid_request_error"
    told = {
        "type": _TYPES.get(error.status, fallback),
        "message": error.message,
        "details": {"error_code": error.code},
    }
    return _encode({"type": "error", "error": told, "request_id": request_id})


def render_stream_error(error: GatewayError, request_id: str) -> bytes:
    """An error in the middle of a stream; no `message_stop` follows it."""
    return b"event: error\n" + encode_event(render_error(error, request_id))


def render_models(models: Iterable[Model]) -> bytes:
    """The list of models, on one page."""
    data = [_model(model) for model in models]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return _encode({"data": data, "has_more": False, "first_id": None, "last_id": None, **ends})


def render_model(model: Model) -> bytes:
    """One model."""
    return _encode(_model(model))


def _model(model: Model) -> dict[str, Any]:
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": model.name, "display_name": model.name, "created_at": created}


def _passed(headers: Headers) -> dict[str, str]:
    """The version of the format, and the betas that may be passed on."""
    version = headers.get(b"anthropic-version", b"").decode("latin-1")
    if version and not _DATED.fullmatch(version):
        raise InvalidRequest("anthropic-version: is a date, such as 2023-06-01")
    betas = [beta for beta in _named(headers) if (one := _BETA.fullmatch(beta)) and one[1] in _BETAS]
    passed = {"anthropic-version": version, "anthropic-beta": ",".join(betas)}
    return {name: value for name, value in passed.items() if value}


def _named(headers: Headers) -> Iterable[str]:
    named = headers.get(b"anthropic-beta", b"").decode("latin-1")
    return dict.fromkeys(one.strip() for one in named.split(","))


def _validated(decoder: msgspec.json.Decoder[_Asked], body: bytes) -> _Asked:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(_worded(str(error))) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("The request body is not valid JSON, or nested too deeply.") from error


def _worded(found: str) -> str:
    """What is wrong in the way that Anthropic says it: `max_tokens: Field required`."""
    told, _, place = found.partition(" - at `$")
    path = re.sub(r"[\[\].`]+", ".", place).strip(".")
    missing = _MISSING.fullmatch(told)
    if missing is not None:
        path, told = f"{path}.{missing[1]}".strip("."), "Field required"
    return f"{path}: {told}" if path else told
