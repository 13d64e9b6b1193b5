"""One table for what a provider's error means to us, whatever its wire."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time

import msgspec

from gateway import errors

_BY_STATUS: Mapping[int, type[errors.ProviderError]] = {
    400: errors.ProviderRejected,
    401: errors.ProviderRefusedKey,
    402: errors.ProviderRefusedKey,
    403: errors.ProviderRefusedKey,
    404: errors.ProviderRefusedKey,
    408: errors.ProviderTimeout,
    409: errors.ProviderRejected,
    413: errors.ProviderRejected,
    415: errors.ProviderRejected,
    422: errors.ProviderRejected,
    429: errors.ProviderOverloaded,
    504: errors.ProviderTimeout,
}
_BY_CODE: Mapping[str, type[errors.ProviderError]] = {
    "context_length_exceeded": errors.ContextTooLong,
    "content_policy_violation": errors.ContentRefused,
    "content_filter": errors.ContentRefused,
}
_BY_MESSAGE: Mapping[str, type[errors.ProviderError]] = {
    "prompt is too long": errors.ContextTooLong,
    "exceed context limit": errors.ContextTooLong,
    "content filtering policy": errors.ContentRefused,
}
"""What Anthropic says without a code for it."""

_OVERLOADED = 529
_LONGEST_MESSAGE = 2_000
_LONGEST_WAIT = 3_600.0


class _Error(msgspec.Struct):
    message: str = ""
    code: str | int | None = None
    param: str | None = None


class _Envelope(msgspec.Struct):
    error: _Error | str | None = None


_envelope = msgspec.json.Decoder(_Envelope)


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> errors.ProviderError:
    """The error that a provider's answer stands for.

    Only what the provider says of the *request* is passed on: what it says of our key or of itself
    may hold secrets, and is of no use to the caller.
    """
    told = _told(body)
    other = errors.ProviderRejected if 400 <= status < 500 else errors.ProviderError
    kind = _BY_STATUS.get(status, other)
    if kind is errors.ProviderRejected:
        kind = _BY_CODE.get(str(told.code)) or _by_message(told.message)
        failure = kind(told.message[:_LONGEST_MESSAGE] or None, param=told.param)
        failure.status = status
    else:
        failure = kind(retry_after=retry_after(headers))
        if status == _OVERLOADED:
            failure.status = 503
    failure.upstream_status = status
    return failure


def _by_message(message: str) -> type[errors.ProviderError]:
    told = message[:_LONGEST_MESSAGE]
    return next((kind for words, kind in _BY_MESSAGE.items() if words in told), errors.ProviderRejected)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a `Retry-After` header in either of its forms, within reason."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None


def _told(body: bytes) -> _Error:
    try:
        error = _envelope.decode(body).error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Error()
    if isinstance(error, str):
        return _Error(message=error)
    return error or _Error()
