"""The error envelope that two of the dialects of a prompt and a text have alike."""

import msgspec

from gateway.errors import GatewayError
from gateway.sse import encode_event


def render_error(error: GatewayError, request_id: str) -> bytes:
    """What went wrong."""
    told = {"code": error.code, "message": error.message, "request_id": request_id}
    return msgspec.json.encode({"error": told})


def render_stream_error(error: GatewayError, request_id: str) -> bytes:
    """An error in the middle of a stream; no end marker follows it."""
    return encode_event(render_error(error, request_id))
