"""OpenAI's error envelope."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import GatewayError

_TYPES: Mapping[str, str] = {
    "rate_limited": "rate_limit_error",
    "concurrency_limited": "rate_limit_error",
    "provider_rate_limited": "rate_limit_error",
    "quota_used_up": "rate_limit_error",
    "queue_full": "rate_limit_error",
    "budget_exceeded": "insufficient_quota",
    "invalid_api_key": "authentication_error",
    "forbidden": "permission_error",
}

_encode = msgspec.json.Encoder().encode


def told(error: GatewayError) -> dict[str, Any]:
    """An error in OpenAI's words."""
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    kind = _TYPES.get(error.code, fallback)
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}


def render_error(error: GatewayError, request_id: str) -> bytes:
    """The envelope as a body."""
    return _encode({"error": told(error), "request_id": request_id})
