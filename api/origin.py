"""What the headers of a request say, whatever its dialect."""

import re
from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import to_builtins
from msgspec.structs import replace

from api.asgi import Headers
from api.hosts import Hosts
from gateway.caching.wishes import LONGEST_SECONDS
from gateway.call import CacheWish, Origin
from gateway.errors import ForeignOrigin, InvalidRequest
from gateway.turns import HIGHEST_PRIORITY

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_TAG_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PRIORITY = re.compile(r"[+-]?[0-9]{1,4}")
_LONGEST_TAG = 200
_MOST_TAGS = 16
_LONGEST_TIMEOUT = 3_600.0
_TTL_DIGITS = 10
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WISHES = frozenset(
    (
        b"idempotency-key",
        b"x-gateway-cache",
        b"x-tenant-id",
        b"x-gateway-project",
        b"x-gateway-tags",
        b"x-gateway-timeout",
        b"x-gateway-sensitivity",
        b"x-gateway-priority",
    )
)
_SENSITIVITIES = ("public", "internal", "confidential")


def read_origin(headers: Headers, request_id: str, address: str, hosts: Hosts) -> Origin:
    """Who calls and how they want it, or an error that names the header that is wrong."""
    credential = read_credential(headers)
    if not credential and (origin := headers.get(b"origin")) is not None:
        check_web_origin(origin, hosts)
    if _WISHES.isdisjoint(headers):
        return Origin(credential=credential, address=address, request_id=request_id)
    return Origin(
        credential=credential,
        tenant=_text(headers, b"x-tenant-id"),
        project=_text(headers, b"x-gateway-project"),
        address=address,
        request_id=request_id,
        tags=_tags(headers),
        timeout=_timeout(headers),
        idempotency_key=_idempotency_key(headers),
        cache=read_cache_wish(_text(headers, b"x-gateway-cache"), "X-Gateway-Cache"),
        priority=_priority(headers),
        sensitivity=_sensitivity(headers),
    )


def adjust_origin(
    origin: Origin,
    *,
    request_id: str,
    idempotency_key: str = "",
    tags: Mapping[str, str],
    timeout: float | None = None,
    cache: str = "",
) -> Origin:
    """The origin of one of many requests on a connection, whose headers hold for all of them."""
    if not _REQUEST_ID.fullmatch(request_id):
        raise InvalidRequest("The id is up to 128 letters, digits and ._:/+=- .", param="request_id")
    _check_idempotency_key(idempotency_key, "idempotency_key")
    if timeout is not None:
        _check_timeout(timeout, "timeout")
    if not all(_is_tag(*tag) and tag[1].isprintable() for tag in tags.items()):
        raise InvalidRequest("Tags have short names, and values of printable characters.", param="tags")
    both = {**origin.tags, **tags}
    if len(both) > _MOST_TAGS:
        raise InvalidRequest(f"At most {_MOST_TAGS} tags may be given.", param="tags")
    return replace(
        origin,
        request_id=request_id,
        idempotency_key=idempotency_key,
        tags=both,
        timeout=origin.timeout if timeout is None else timeout,
        cache=read_cache_wish(cache, "cache") if cache else origin.cache,
    )


def read_cache_wish(text: str, param: str) -> CacheWish:
    """`no-cache` finds nothing and keeps what comes, `no-store` does neither, `ttl` asks for both."""
    reads, keeps, seconds = True, True, None
    for word in filter(None, map(str.strip, text.lower().split(","))):
        name, _, number = word.partition("=")
        if word in ("no-cache", "no-store"):
            reads, keeps = False, keeps and word == "no-cache"
        elif name == "ttl" and number.isascii() and number.isdigit() and len(number) < _TTL_DIGITS:
            seconds = int(number)
        else:
            raise _no_cache_wish(param)
    if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
        raise _no_cache_wish(param)
    return CacheWish(reads=reads, keeps=keeps, seconds=seconds)


def _no_cache_wish(param: str) -> InvalidRequest:
    told = f"It is `no-cache`, `no-store` or `ttl=60`, in seconds up to {LONGEST_SECONDS}."
    return InvalidRequest(told, param=param)


def read_credential(headers: Headers) -> str:
    """The key, from any of the three headers that clients use."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, key = authorization.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            return key.strip()
    key_header = headers.get(b"x-api-key") or headers.get(b"api-key") or b""
    return key_header.decode("latin-1").strip()


def read_request_id(headers: Headers, call_id: UUID) -> str:
    """The caller's own request id if it is printable and short, else the call's."""
    given = headers.get(b"x-request-id")
    if given is not None:
        text = given.decode("latin-1")
        if _REQUEST_ID.fullmatch(text):
            return text
    own: str = to_builtins(call_id)  # as `str` writes it, in a third of the time
    return own


def is_request_id(text: str) -> bool:
    """Whether some request could have such an id."""
    return bool(_REQUEST_ID.fullmatch(text))


def check_web_origin(origin: bytes, hosts: Hosts) -> None:
    """A page of another site must not spend with what this machine's loopback is trusted for."""
    try:
        host = urlsplit(origin.decode("latin-1")).netloc
    except ValueError:
        raise ForeignOrigin from None
    if not hosts.serves(host):
        raise ForeignOrigin


def _text(headers: Headers, name: bytes) -> str:
    value = headers.get(name)
    return "" if value is None else value.decode("latin-1").strip()


def _tags(headers: Headers) -> dict[str, str]:
    text = _text(headers, b"x-gateway-tags")
    if not text:
        return {}
    tags = dict(_tag(part) for part in text.split(",") if part.strip())
    if len(tags) > _MOST_TAGS:
        raise InvalidRequest(f"At most {_MOST_TAGS} tags may be given.", param="X-Gateway-Tags")
    return tags


def _tag(part: str) -> tuple[str, str]:
    name, separator, value = part.strip().partition("=")
    if not separator or not _is_tag(name, value):
        raise InvalidRequest("Tags are written `name=value, name=value`.", param="X-Gateway-Tags")
    return name, value


def _is_tag(name: str, value: str) -> bool:
    return bool(_TAG_NAME.fullmatch(name)) and len(value) <= _LONGEST_TAG


def _timeout(headers: Headers) -> float | None:
    text = _text(headers, b"x-gateway-timeout")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    _check_timeout(seconds, "X-Gateway-Timeout")
    return seconds


def _check_timeout(seconds: float, param: str) -> None:
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise InvalidRequest("The timeout is a number of seconds up to 3600.", param=param)


def _idempotency_key(headers: Headers) -> str:
    text = _text(headers, b"idempotency-key")
    _check_idempotency_key(text, "Idempotency-Key")
    return text


def _check_idempotency_key(text: str, param: str) -> None:
    if text and not _IDEMPOTENCY_KEY.fullmatch(text):
        raise InvalidRequest("The key is up to 255 printable characters without a space.", param=param)


def _priority(headers: Headers) -> int | None:
    text = _text(headers, b"x-gateway-priority")
    if not text:
        return None
    if not _PRIORITY.fullmatch(text) or abs(int(text)) > HIGHEST_PRIORITY:
        told = f"The priority is a whole number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}."
        raise InvalidRequest(told, param="X-Gateway-Priority")
    return int(text)


def _sensitivity(headers: Headers) -> Literal["public", "internal", "confidential"]:
    text = _text(headers, b"x-gateway-sensitivity") or "public"
    if text not in _SENSITIVITIES:
        allowed = ", ".join(_SENSITIVITIES)
        raise InvalidRequest(f"The sensitivity is one of {allowed}.", param="X-Gateway-Sensitivity")
    return cast(Literal["public", "internal", "confidential"], text)
