"""Anthropic's wire format, of the Messages API.

A request goes out byte for byte, but for the model's name where the provider has another for it; an
answer goes back untouched.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway import errors
from gateway.call import Ask, Reply, Usage
from gateway.catalog import Deployment, Provider
from gateway.exchange import Request
from gateway.failures import failure_of
from gateway.following import Following
from gateway.members import join_members
from gateway.metering import anthropic_usage
from gateway.texts import texts_in

FORMAT = "anthropic"
PATHS: Mapping[str, str] = {"message": "/messages", "count_tokens": "/messages/count_tokens"}
PASSED_HEADERS = frozenset({"request-id"})
VERSION = "2023-06-01"
"""What is spoken where the caller does not say."""

_JSON = "application/json"
_BETA = "anthropic-beta"
_SPOKEN = frozenset({"text", "thinking"})
"""Blocks that are opened empty, and filled bit by bit."""

_STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that an error would have had, which comes when a stream has begun."""

_encode = msgspec.json.Encoder().encode
_counts = msgspec.json.Decoder(dict[str, Any])


class _Tier(Struct):
    service_tier: str | None = None
    speed: str | None = None


class _Body(Struct):
    content: list[Raw] | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()


class _Count(Struct):
    input_tokens: int


class _Delta(Struct):
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    stop_reason: str | None = None


class _Block(Struct):
    type: str = ""
    text: Any = None


class _Error(Struct):
    type: str | None = None


class _Told(Struct):
    type: str = ""
    message: _Body | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Raw = Raw()
    error: _Error | None = None


_tier = msgspec.json.Decoder(_Tier)
_body = msgspec.json.Decoder(_Body)
_count = msgspec.json.Decoder(_Count)
_told = msgspec.json.Decoder(_Told)


def build_request(ask: Ask, deployment: Deployment) -> Request:
    """The provider's request for an ask that came in this format."""
    provider = deployment.provider
    body = ask.body
    if deployment.upstream != ask.model:
        body = join_members({**ask.members, "model": _encode(deployment.upstream)})
    return Request(
        url=provider.base_url + PATHS[ask.task],
        headers=_headers(ask, provider),
        body=body,
        connect_timeout=provider.timeouts.connect,
    )


def _headers(ask: Ask, provider: Provider) -> dict[str, str]:
    """The provider's row has the last word, except that betas add up."""
    given = {name.lower(): value for name, value in provider.headers.items()}
    betas = [headers[_BETA] for headers in (given, ask.headers) if headers.get(_BETA)]
    headers = {"content-type": _JSON, "accept-encoding": "identity", "anthropic-version": VERSION}
    headers |= {**ask.headers, **given} | ({_BETA: ",".join(betas)} if betas else {})
    if provider.secret is not None:
        headers["x-api-key"] = provider.secret.reveal()
    return headers


def read_reply(ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
    """A whole answer, its bytes untouched.

    A message without content is one if it was stopped on purpose: by a refusal, at its maximum, or
    after tokens that are no words. A provider that ends without having made any said nothing.
    """
    counted = ask.kind == "count"
    try:
        read = _counted(body) if counted else _body.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise errors.ProviderMalformed from error
    if read.content is None:
        raise errors.ProviderMalformed
    usage = Usage() if counted else anthropic_usage(read.usage)
    return Reply(
        status=200,
        content_type=headers.get("content-type", _JSON),
        body=body,
        headers={name: value for name, value in headers.items() if name in PASSED_HEADERS},
        usage=usage,
        counts=bytes(read.usage),
        service_tier=tier_of(read.usage),
        texts=() if usage is not None else tuple(text for block in read.content for text in texts_in(block)),
        empty=not counted and _is_empty(read, usage),
    )


def _counted(body: bytes) -> _Body:
    """A count of tokens is no message, and nothing is billed for it."""
    _count.decode(body)
    return _Body(content=[])


def _is_empty(read: _Body, usage: Usage | None) -> bool:
    made = usage is not None and usage.tokens > usage.prompt_tokens
    return not read.content and read.stop_reason in (None, "end_turn") and not made


def tier_of(usage: Raw) -> str:
    """The class of service that was given: fast answers have prices of their own, as if they were one."""
    try:
        told = _tier.decode(usage)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    return "fast" if told.speed == "fast" else told.service_tier or ""


def read_failure(status: int, headers: Mapping[str, str], body: bytes) -> errors.ProviderError:
    """An answer that is an error."""
    return failure_of(status, headers, body)


def open_stream(_: Ask) -> "StreamReader":
    """A reader for one streamed answer."""
    return StreamReader()


class StreamReader(Following):
    """Keeps `message_stop` back.

    The prompt is counted when a message begins and the answer when it ends: between the two the usage is
    doubtful, and so is what a broken stream is charged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, Any] = {}

    def _follow(self, event: bytes, data: bytes) -> bool:
        try:
            told = _told.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.failure = errors.ProviderMalformed()
            return False
        if told.type == "content_block_delta" and told.delta is not None:
            self._hear(told.delta.text or told.delta.thinking or told.delta.partial_json)
        elif told.type == "content_block_start" and told.content_block is not None:
            self._open(told.content_block)
        elif told.type == "message_start" and told.message is not None:
            self._count(told.message.usage)
        elif told.type == "message_delta":
            self._end(told)
        elif told.type == "message_stop":
            self.finished, self.tail = True, event
            return False
        elif told.type == "error":
            kind = (told.error.type if told.error is not None else None) or ""
            self.failure = failure_of(_STATUSES.get(kind, 500), {}, data)
            return False
        return True

    def _hear(self, text: object) -> None:
        if not text or not isinstance(text, str):
            return
        if not self.meaningful:
            self._commit()
        self.delivered.append(text)

    def _open(self, block: _Block) -> None:
        if not self.meaningful and block.type not in _SPOKEN:
            self._commit()
        self._hear(block.text)

    def _commit(self) -> None:
        """What was told of the prompt counts from here on: before, nothing of the call is charged."""
        self.meaningful = True
        if self._counts:
            self.usage = self._used(output_tokens=0)

    def _end(self, told: _Told) -> None:
        """The last counts are of the whole message; some hosts tell of the prompt only here."""
        stopped = told.delta is not None and told.delta.stop_reason is not None
        self.meaningful |= stopped
        if self._count(told.usage) and self.meaningful:
            self.usage = self._used(ended=stopped) or self.usage

    def _used(self, *, ended: bool = False, **instead: int) -> Usage | None:
        usage = anthropic_usage(Raw(_encode(self._counts | instead)))
        return usage if usage is None or ended else replace(usage, doubtful=True)

    def _count(self, usage: Raw) -> bool:
        """Take what is told over what was told before, but for zeros and nulls."""
        try:
            told = _counts.decode(usage)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        self._counts |= {name: value for name, value in told.items() if value or name not in self._counts}
        self.service_tier = tier_of(Raw(_encode(self._counts)))
        return bool(told)
