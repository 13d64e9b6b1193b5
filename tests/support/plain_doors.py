"""The inference doors that speak of a prompt and a text, as tests ask them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.caller import Caller
from tests.support.raw_http import Answer


@dataclass(frozen=True, kw_only=True)
class PlainDoor:
    """One address, what the prompt is called there, and the envelope of its errors."""

    path: str
    dialect: str
    prompt: str = "prompt"
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What else a request carries."""

    def __str__(self) -> str:
        return self.path + ("?stream" if self.asked else "")

    def body(self, model: str | None, /, **members: Any) -> bytes:
        """A small request."""
        text: Any = ["hello"] if self.prompt == "texts" else "hello"
        named = {} if model is None else {"model": model}
        return json.dumps({self.prompt: text, **named, **self.asked, **members}).encode()

    def ask(self, caller: Caller, model: str | None, request: str = "", **members: Any) -> Answer:
        """Ask a model."""
        return caller.post(self.body(model, **members), request, self.path)

    def error(self, answer: Answer, status: int, code: str) -> dict[str, Any]:
        """The error that an answer must be, whole and in this door's envelope."""
        assert (answer.status, answer.header("content-type")) == (status, "application/json"), answer
        told: dict[str, Any] = self.opened(answer.json())
        assert told["request_id"] == answer.header("x-request-id")
        assert told["code"] == code, told
        return told

    def opened(self, told: dict[str, Any]) -> dict[str, Any]:
        """What is in an error's envelope."""
        if self.dialect == "gateway_v1":
            assert (set(told), told["success"]) == ({"success", "error"}, False)
        else:
            assert set(told) == {"error"}
        error: dict[str, Any] = told["error"]
        assert set(error) == {"code", "message", "request_id"}
        assert error["message"]
        return error


WHOLE = (
    PlainDoor(path="/api/v1/gateway/generate", dialect="gateway_v1"),
    PlainDoor(path="/api/v1/generate", dialect="models_v1"),
    PlainDoor(path="/query", dialect="query"),
    PlainDoor(path="/chat", dialect="chat"),
)
STREAMED = (
    PlainDoor(path="/api/v1/gateway/generate/stream", dialect="gateway_v1"),
    PlainDoor(path="/api/v1/gateway/generate", dialect="gateway_v1", asked={"stream": True}),
    PlainDoor(path="/api/v1/generate", dialect="models_v1", asked={"stream": True}),
    PlainDoor(path="/stream", dialect="query"),
)
EMBEDDING = (
    PlainDoor(path="/api/v1/gateway/embeddings", dialect="gateway_v1", prompt="texts"),
    PlainDoor(path="/embeddings", dialect="query", prompt="text"),
)
EVERY = (*WHOLE, *STREAMED, *EMBEDDING)


def told_in_pieces(told: list[Any], name: str, **besides: Any) -> tuple[str, list[Any]]:
    """The text of a stream's pieces, each of which says nothing else but this, and the events behind them.

    Pieces that the provider sent at once may come as one.
    """
    pieces = [one for one in told if isinstance(one, dict) and one.get(name)]
    assert all(one == {name: one[name], **besides} for one in pieces), pieces
    return "".join(one[name] for one in pieces), told[len(pieces) :]


def events(answer: Answer) -> list[Any]:
    """What a stream's events say; the end marker as it is."""
    assert (answer.header("content-type") or "").startswith("text/event-stream"), answer
    return events_of(answer.body.decode())


def events_of(text: str) -> list[Any]:
    """The same of a text."""
    data = [part.removeprefix("data: ") for part in text.split("\n\n") if part]
    return [one if one == "[DONE]" else json.loads(one) for one in data]
