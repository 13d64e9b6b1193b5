"""A chat's answer as a response."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.call import Ask, Usage
from gateway.ids import uuid7
from gateway.responses.asking import asked_of

_REASONS: Mapping[str, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer ended before it was complete."""

_REPEATED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says where the request said nothing."""


class Function(Struct, frozen=True):
    """What a model calls."""

    name: str = ""
    arguments: str = ""


class ToolCall(Struct, frozen=True):
    """A call in a chat's answer."""

    id: str = ""
    function: Function = Function()


class Message(Struct, frozen=True):
    """A chat's answer."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Struct, frozen=True):
    """One of them; a response has one."""

    message: Message = Message()
    finish_reason: str | None = None


class Chat(Struct, frozen=True):
    """A whole answer."""

    choices: list[Choice]
    created: int = 0
    model: str = ""
    service_tier: str | None = None


read_chat = msgspec.json.Decoder(Chat).decode


def new_id(prefix: str) -> str:
    """An id that nothing else has; nobody has to guess it, and nobody can be shown another's by it."""
    return f"{prefix}_{uuid7().hex}{uuid7().hex[-16:]}"


def response_of(ask: Ask, identifier: str, *, created: int, model: str) -> dict[str, Any]:
    """A response that has just begun."""
    asked = asked_of(ask)
    given = {name: asked[name] for name in _REPEATED if asked.get(name) is not None}
    reasoning = asked.get("reasoning") or {}
    told: dict[str, Any] = {
        "id": identifier,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model or ask.model,
        "output": [],
        "previous_response_id": ask.previous or None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "usage": None,
    }
    return told | _REPEATED | given


def completed(
    response: Mapping[str, Any],
    output: Sequence[Mapping[str, Any]],
    *,
    finish_reason: str | None,
    usage: Usage | None,
    service_tier: str | None,
) -> dict[str, Any]:
    """The same response when it is over."""
    reason = _REASONS.get(finish_reason or "")
    ended = {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": list(output),
        "usage": None if usage is None else counts_of(usage),
    }
    return {**response, **ended} | ({"service_tier": service_tier} if service_tier else {})


def counts_of(usage: Usage) -> dict[str, Any]:
    """Meters in the words of responses."""
    prompt, answer = usage.prompt_tokens, usage.tokens - usage.prompt_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": answer,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": prompt + answer,
    }


def output_of(message: Message) -> list[dict[str, Any]]:
    """A message as the items of a response."""
    parts = [text_part(message.content)] if message.content else []
    parts += [refusal_part(message.refusal)] if message.refusal else []
    items = [message_item(new_id("msg"), "completed", parts)] if parts else []
    for called in message.tool_calls or ():
        items.append(call_item(new_id("fc"), "completed", called))
    return items


def message_item(identifier: str, status: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What was said."""
    return {"type": "message", "id": identifier, "status": status, "role": "assistant", "content": parts}


def call_item(identifier: str, status: str, called: ToolCall) -> dict[str, Any]:
    """A function that is to be called."""
    return {
        "type": "function_call",
        "id": identifier,
        "status": status,
        "call_id": called.id or identifier,
        "name": called.function.name,
        "arguments": called.function.arguments,
    }


def text_part(text: str) -> dict[str, Any]:
    """A text that was said."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> dict[str, Any]:
    """Why nothing was said."""
    return {"type": "refusal", "refusal": text}
