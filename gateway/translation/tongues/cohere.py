"""Cohere's chat, second version: its requests are near OpenAI's, its answers are not."""

from collections.abc import Mapping
from typing import Any

from gateway.call import Usage
from gateway.errors import ProviderError
from gateway.translation.asked import no_place
from gateway.translation.counts import cohere_usage
from gateway.translation.library import part
from gateway.translation.tongue import Listener, Told, Tongue, failed

_CHOICES = {"none": "NONE", "required": "REQUIRED"}
_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16384}
"""Tokens of thought, where OpenAI's format knows efforts."""


class CohereTongue(Tongue):
    """litellm writes the messages; what it has no words for is said here."""

    CONFIG = "CohereConfig"
    ADDRESS = "https://api.cohere.com/v2"

    def adapt(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = {
            "k": asked.pop("top_k", None),
            "response_format": _formatted(asked.pop("response_format", None)),
        }
        choice = asked.pop("tool_choice", None)
        if choice is not None:
            given["tool_choice"] = _CHOICES.get(choice) if isinstance(choice, str) else None
            if given["tool_choice"] is None:
                raise no_place("tool_choice")
        given["thinking"] = _thinking(asked.pop("reasoning_effort", None))
        self.params |= {name: value for name, value in given.items() if value is not None}
        if isinstance(asked.get("stop"), str):
            asked["stop"] = [asked["stop"]]
        return asked

    def places(self) -> list[str]:
        return [name for name in super().places() if name != "n"]  # it was the first version's

    def url(self, *, stream: bool) -> str:
        return f"{self.base_url}/chat"

    def body(self, headers: dict[str, str], *, stream: bool) -> dict[str, Any]:
        self.messages = [
            {name: value for name, value in message.items() if value is not None} for message in self.messages
        ]
        return super().body(headers, stream=stream)

    def read(self, told: Told, body: bytes, headers: Mapping[str, str]) -> Any:
        message = told["message"]
        content, thought = _texts(message.get("content"))
        response = part("ModelResponse")(model=self.model)
        response.choices[0].finish_reason = _REASONS.get(told.get("finish_reason", ""), "stop")
        response.choices[0].message = part("Message")(
            content=content or None,
            tool_calls=message.get("tool_calls"),
            reasoning_content=thought or None,
        )
        return response

    def usage(self, told: Told) -> Usage | None:
        return _usage(told)

    def listen(self) -> Listener:
        return _Listener(_chunk)


class _Listener(Listener):
    """litellm's own reader of these events knows neither tools nor counts, so they are read here."""

    def failure(self, told: Told) -> ProviderError | None:
        error = _delta(told).get("error") if told.get("type") == "message-end" else told.get("error")
        return None if error is None else failed(error)

    def note(self, told: Told) -> None:
        if told.get("type") == "message-end":
            self.usage = _usage(_delta(told))
            self.stopped = self.ended = True


def _chunk(told: Told) -> Any:
    """What an event says as a chunk of OpenAI's."""
    kind, message = told.get("type"), _delta(told).get("message") or {}
    delta: dict[str, Any] = {}
    reason = None
    if kind in {"content-start", "content-delta"}:
        text, thought = _texts([message.get("content") or {}])
        delta = {"content": text, "reasoning_content": thought}
    elif kind in {"tool-call-start", "tool-call-delta"}:
        delta = {"tool_calls": [{"index": told.get("index", 0), **message["tool_calls"]}]}
    elif kind == "message-end":
        reason = _REASONS.get(_delta(told).get("finish_reason", ""), "stop")
    else:
        return None
    delta = {name: value for name, value in delta.items() if value}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return part("ModelResponseStream")(choices=[choice])


def _delta(told: Told) -> Mapping[str, Any]:
    delta = told.get("delta")
    return delta if isinstance(delta, dict) else {}


def _texts(content: Any) -> tuple[str, str]:
    if isinstance(content, str):
        return content, ""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts, thoughts = (
        [one[name] for one in parts if isinstance(one.get(name), str)] for name in ("text", "thinking")
    )
    return "".join(texts), "".join(thoughts)


def _formatted(wanted: Any) -> Any:
    if not isinstance(wanted, dict):
        return wanted
    schema = (wanted.get("json_schema") or {}).get("schema")
    return {"type": "json_object"} if schema is None else {"type": "json_object", "schema": schema}


def _thinking(effort: Any) -> Any:
    if effort is None:
        return None
    if effort == "none":
        return {"type": "disabled"}
    if effort not in _BUDGETS:
        raise no_place("reasoning_effort")
    return {"type": "enabled", "token_budget": _BUDGETS[effort]}


def _usage(told: Told) -> Usage | None:
    counts = told.get("usage")
    return cohere_usage(counts) if isinstance(counts, dict) else None
