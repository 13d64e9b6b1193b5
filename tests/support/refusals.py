"""What every refusal looks like in OpenAI's dialect."""

from typing import Any

from tests.support.raw_http import Answer


def refused(answer: Answer, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    """The error that an answer must be: right status, whole envelope, JSON."""
    assert (answer.status, answer.header("content-type")) == (status, "application/json"), answer
    told: dict[str, Any] = answer.json()
    assert set(told) == {"error", "request_id"}
    assert told["request_id"] == answer.header("x-request-id")
    error: dict[str, Any] = told["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]
    return error
