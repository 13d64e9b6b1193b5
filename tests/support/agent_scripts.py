"""The provider stub as agents need it: it uses the tool it is given, takes the result, keeps to a schema."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support import anthropic_scripts
from tests.support.provider_kinds import events_then
from tests.support.provider_scripts import DONE, PIECES, USAGE, chunk, event, replies
from tests.support.provider_stub import Heard, Turn

SAMPLES: Mapping[str, Any] = {"city": "Köln", "degrees": 21}
"""What it says where a schema has a field of that name."""

_HALF = 5

Delta = Mapping[str, Any]


async def answer_as_asked(turn: Turn) -> None:
    """A tool's result is told back; else a tool is used, else a schema is kept to, else it says hello."""
    heard = turn.heard
    if "/messages" in heard.path:
        block, stream = _block(heard), bool(heard.member("stream"))
        told = anthropic_scripts.events(block) if stream else anthropic_scripts.message(block)
        script = anthropic_scripts.streams(told) if isinstance(told, list) else replies(told)
    elif heard.member("stream"):
        counts = bool((heard.member("stream_options") or {}).get("include_usage"))
        script = events_then(_chunks(_message(heard), counts=counts))
    else:
        script = replies(_completion(_message(heard)))
    await script(turn)


def _message(heard: Heard) -> dict[str, Any]:
    last, tools = heard.member("messages")[-1], heard.member("tools")
    wanted = heard.member("response_format") or {}
    if last["role"] == "tool":
        return {"role": "assistant", "content": _text(last["content"])}
    if tools:
        function = tools[0]["function"]
        called = {"name": function["name"], "arguments": _sample(function["parameters"])}
        call = {"id": "call_1", "type": "function", "function": called}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if wanted.get("type") == "json_schema":
        return {"role": "assistant", "content": _sample(wanted["json_schema"]["schema"])}
    return {"role": "assistant", "content": "".join(PIECES)}


def _block(heard: Heard) -> dict[str, Any]:
    last, tools = heard.member("messages")[-1]["content"], heard.member("tools")
    results = [part for part in last if part["type"] == "tool_result"] if isinstance(last, list) else []
    wanted = (heard.member("output_config") or {}).get("format")
    if results:
        return {"type": "text", "text": _text(results[0]["content"])}
    if tools:
        asked = json.loads(_sample(tools[0]["input_schema"]))
        return {"type": "tool_use", "id": "toolu_1", "name": tools[0]["name"], "input": asked}
    if wanted:
        return {"type": "text", "text": _sample(wanted["schema"])}
    return {"type": "text", "text": "".join(PIECES)}


def _text(content: str | Sequence[Mapping[str, str]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _sample(schema: Mapping[str, Any]) -> str:
    return json.dumps({name: SAMPLES[name] for name in schema["properties"]}, ensure_ascii=False)


def _reason(message: Mapping[str, Any]) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"


def _completion(message: Mapping[str, Any]) -> bytes:
    choices = [{"index": 0, "message": message, "finish_reason": _reason(message)}]
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "upstream"}
    return json.dumps({**told, "choices": choices, "usage": USAGE}).encode()


def _chunks(message: Mapping[str, Any], *, counts: bool) -> list[bytes]:
    deltas = [{"role": "assistant", "content": ""}, *_deltas(message)]
    told = [chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    told.append(chunk([{"index": 0, "delta": {}, "finish_reason": _reason(message)}]))
    told += [chunk([], usage=USAGE)] if counts else []
    return [*(event(one) for one in told), DONE]


def _deltas(message: Mapping[str, Any]) -> list[Delta]:
    if not message.get("tool_calls"):
        return [{"content": piece} for piece in _halves(message["content"])]
    call = message["tool_calls"][0]
    opened = {"index": 0, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
    pieces = _halves(call["function"]["arguments"])
    grown = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    return [{"tool_calls": [one]} for one in (opened, *grown)]


def _halves(text: str) -> Sequence[str]:
    return PIECES if text == "".join(PIECES) else (text[:_HALF], text[_HALF:])
