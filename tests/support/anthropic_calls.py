"""Requests in Anthropic's format as bytes, and what every refusal looks like in its dialect."""

import json
from typing import Any

from tests.support.provider_stub import Heard, ProviderStub
from tests.support.raw_http import Answer

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"


def asked(model: Any, **members: Any) -> bytes:
    """A small request."""
    messages = [{"role": "user", "content": "hello"}]
    return json.dumps({"model": model, "max_tokens": 50, "messages": messages, **members}).encode()


def only_heard(provider: ProviderStub, model: str) -> Heard:
    """The one request for a model."""
    heard = provider.heard(model)
    assert len(heard) == 1
    return heard[0]


def refused(answer: Answer, status: int, kind: str, code: str) -> str:
    """The message of the error that an answer must be, in Anthropic's envelope."""
    assert (answer.status, answer.header("content-type")) == (status, "application/json"), answer
    return told_of(answer.json(), kind, code, answer.header("x-request-id"))


def told_of(told: dict[str, Any], kind: str, code: str, request_id: str | None) -> str:
    """The message in an envelope that must be this one."""
    message: str = told["error"].pop("message")
    assert told == {
        "type": "error",
        "error": {"type": kind, "details": {"error_code": code}},
        "request_id": request_id,
    }
    return message
