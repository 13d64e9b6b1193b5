"""Reading a request's body, no further than it is welcome."""

from collections.abc import Mapping

from api.asgi import Receive
from gateway.errors import GatewayError, TooLarge, UnsupportedMedia

_READ_AS_JSON = frozenset({"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"})
_LONG = 65_536


class CallerLeft(GatewayError):
    """The caller left before the request was complete."""

    code = "caller_left"
    status = 499


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """The whole body; one that is too large, or not JSON, is refused without reading it."""
    check_media(headers)
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > limit:
        raise TooLarge(f"The request body may be {limit} bytes long.")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        _check_size(body, limit)
        return body
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
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding != b"identity":
        raise UnsupportedMedia("Send the request body without a content encoding.")
    declared = headers.get(b"content-type")
    if declared is None or declared == b"application/json":
        return
    media = declared.decode("latin-1").partition(";")[0].strip().lower()
    if media not in _READ_AS_JSON and not media.endswith(("/json", "+json")):
        raise UnsupportedMedia


def _check_size(body: bytes | bytearray, limit: int) -> None:
    if len(body) > limit:
        raise TooLarge(f"The request body may be {limit} bytes long.")
