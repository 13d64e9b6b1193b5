"""Asks and deployments for the tests of translation, and what a client reads in a stream."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from gateway.call import Ask
from gateway.catalog import Deployment, Provider, Secret
from gateway.members import read_members
from gateway.sse import Frames, event_data
from gateway.wires import StreamReader, Translation, wire_for

_NEW = {"created", "id"}
NOBODY = UUID(int=0)
SECRET = "made-up-secret"
QUESTION = {"model": "mine", "messages": [{"role": "user", "content": "Say hello."}]}
WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOLS = [{"type": "function", "function": WEATHER}]


def openai_ask(asked: Mapping[str, Any] = QUESTION, *, kind: Any = "chat", wants_usage: bool = True) -> Ask:
    """An ask in OpenAI's format."""
    body = json.dumps(asked).encode()
    return Ask(
        dialect="openai",
        kind=kind,
        format="openai",
        model=asked["model"],
        body=body,
        members=read_members(body),
        stream=bool(asked.get("stream")),
        wants_usage=wants_usage,
    )


def anthropic_ask(asked: Mapping[str, Any]) -> Ask:
    """An ask in Anthropic's format."""
    body = json.dumps(asked).encode()
    return Ask(
        dialect="anthropic",
        kind="chat",
        format="anthropic",
        operation="message",
        model=asked["model"],
        body=body,
        members=read_members(body),
        stream=bool(asked.get("stream")),
    )


def deployed(
    upstream: str,
    wire: str = "litellm",
    *,
    base_url: str = "",
    secret: str = SECRET,
    region: str = "eu-west-1",
) -> Deployment:
    """A model at a provider."""
    provider = Provider(
        id=NOBODY, name="somewhere", wire=wire, base_url=base_url, secret=Secret(secret) if secret else None
    )
    return Deployment(id=NOBODY, provider=provider, upstream=upstream, region=region)


def translated(ask: Ask, deployment: Deployment) -> Translation:
    """The translation of one attempt, its request written."""
    wire = wire_for(ask, deployment.provider)
    assert isinstance(wire, Translation)
    wire.build_request(ask, deployment)
    return wire


def sent_body(ask: Ask, deployment: Deployment) -> Any:
    """What goes to the provider."""
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    return json.loads(wire.build_request(ask, deployment).body)


def heard(reader: StreamReader, pieces: Iterable[bytes]) -> list[Any]:
    """The data of the events that a caller gets of a stream in these pieces, without names made up anew."""
    events = [event for event in map(reader.feed, pieces) if event is not None]
    frames = [frame for event in events for frame in Frames().feed(event.data)]
    return [_settled(json.loads(data)) for data in map(event_data, frames) if data]


def one_by_one(data: bytes) -> list[bytes]:
    """Bytes in the smallest pieces."""
    return [data[at : at + 1] for at in range(len(data))]


def said(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the chunks of a stream come to."""
    told: dict[str, Any] = {"content": "", "reasoning": "", "tools": {}, "reasons": [], "usage": None}
    for event in events:
        told["usage"] = event.get("usage") or told["usage"]
        for choice in event["choices"]:
            delta = choice["delta"]
            told["content"] += delta.get("content", "")
            told["reasoning"] += delta.get("reasoning_content", "")
            told["reasons"] += [choice["finish_reason"]] if choice["finish_reason"] else []
            for call in delta.get("tool_calls", ()):
                name, arguments = told["tools"].get(call["index"], ("", ""))
                function = call["function"]
                told["tools"][call["index"]] = (
                    name or function.get("name"),
                    arguments + (function.get("arguments") or ""),
                )
    return told


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: name if name in _NEW else _settled(one) for name, one in value.items()}
    return [_settled(one) for one in value] if isinstance(value, list) else value
