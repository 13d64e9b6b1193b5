"""Reading a request's body, no further than it is welcome."""

import asyncio
import zlib
from collections.abc import Mapping

from api.asgi import Message, Receive
from gateway.errors import GatewayError, InvalidRequest, TooLarge, UnsupportedMedia

_READ_AS_JSON = frozenset({"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"})
_ENCODINGS = (b"identity", b"gzip")
_LONG = 65_536
_GZIP = 31
"""zlib's number for a stream with gzip's head and checksum."""
_QUICK = 1_024
"""Bytes that are unpacked on the loop: they may grow a thousandfold."""


class CallerLeft(GatewayError):
    """The caller left before the request was complete."""

    code = "caller_left"
    status = 499


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], limit: int, *, form: bool = False
) -> bytes:
    """The whole body; one that is too large, or not JSON or the form it should be, is refused unread."""
    check_form(headers) if form else check_media(headers)
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > limit:
        raise TooLarge(f"The request body may be {limit} bytes long.")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        _check_size(body, limit)
    else:
        body = await _gathered(message, receive, limit)
    if headers.get(b"content-encoding", b"identity").lower() == b"gzip":
        return await unpacked(body, limit)
    return body


async def unpacked(body: bytes, limit: int) -> bytes:
    """What was compressed; a body that would grow beyond its limit is left as soon as that shows."""
    if len(body) > _QUICK:
        return await asyncio.to_thread(_gunzip, body, limit)
    return _gunzip(body, limit)


def _gunzip(body: bytes, limit: int) -> bytes:
    reader = zlib.decompressobj(wbits=_GZIP)
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest("The request body is not valid gzip.") from error
    _check_size(plain, limit)
    if not reader.eof or reader.unused_data:
        raise InvalidRequest("The request body is not one whole gzip stream.")
    return plain


async def _gathered(message: Message, receive: Receive, limit: int) -> bytes:
    """A body that comes in pieces."""
    pieces = bytearray()
    while message["type"] == "http.request":
        pieces += message.get("body", b"")
        _check_size(pieces, limit)
        if not message.get("more_body"):
            return bytes(pieces)
        message = await receive()
    raise CallerLeft


def is_long(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body is large, or of unsaid length."""
    declared = headers.get(b"content-length", b"")
    return not declared.isdigit() or int(declared) > _LONG


def check_media(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what is declared to be something else than JSON.

    A body is read as JSON whatever form or plain type a hurried client gives it: `curl -d` says form.
    """
    _check_encoding(headers)
    declared = headers.get(b"content-type")
    if declared is None or declared == b"application/json":
        return
    media = declared.decode("latin-1").partition(";")[0].strip().lower()
    if media not in _READ_AS_JSON and not media.endswith(("/json", "+json")):
        raise UnsupportedMedia


def check_form(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what is declared to be something else than a form with files."""
    _check_encoding(headers)
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media != b"multipart/form-data":
        raise UnsupportedMedia("The request body is not a form: send multipart/form-data.")


def _check_encoding(headers: Mapping[bytes, bytes]) -> None:
    if headers.get(b"content-encoding", b"identity").lower() not in _ENCODINGS:
        raise UnsupportedMedia("Send the request body as it is, or compressed with gzip.")


def _check_size(body: bytes | bytearray, limit: int) -> None:
    if len(body) > limit:
        raise TooLarge(f"The request body may be {limit} bytes long.")
