"""A request for a response as a request for a chat."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.call import Ask
from gateway.errors import InvalidRequest, Untranslatable

_ALIKE = (
    "temperature",
    "top_p",
    "user",
    "parallel_tool_calls",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
)
"""Members that mean the same in both."""

_ROLES: Mapping[str, str] = {"developer": "system"}
"""Hosts that know no responses know no developers either."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def chat_body(ask: Ask, upstream: str, *, counts: bool) -> bytes:
    """The chat that answers a request for a response; a stream is asked to count where the host can."""
    asked = asked_of(ask)
    chat: dict[str, Any] = {"model": upstream, "messages": _messages(asked)}
    chat |= {name: asked[name] for name in _ALIKE if asked.get(name) is not None}
    if asked.get("max_output_tokens") is not None:
        chat["max_tokens"] = asked["max_output_tokens"]
    chat |= _format(_object(asked, "text")) | _effort(_object(asked, "reasoning")) | _tools(asked)
    if ask.stream:
        chat["stream"] = True
        chat |= {"stream_options": {"include_usage": True}} if counts else {}
    return _encode(chat)


def asked_of(ask: Ask) -> dict[str, Any]:
    """The whole request, read."""
    try:
        return _decode(ask.body)
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.") from None


def _object(asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = asked.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidRequest("This is an object.", param=name)
    return value


def _list(value: Any, param: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise InvalidRequest("This is a list.", param=param)
    return value or []


def _format(text: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"verbosity": text["verbosity"]} if text.get("verbosity") else {}
    wanted = dict(_object(text, "format"))
    kind = wanted.pop("type", "text")
    if kind == "json_schema":
        told["response_format"] = {"type": kind, "json_schema": wanted}
    elif kind != "text":
        told["response_format"] = {"type": kind}
    return told


def _effort(reasoning: Mapping[str, Any]) -> dict[str, Any]:
    return {"reasoning_effort": reasoning["effort"]} if reasoning.get("effort") else {}


def _tools(asked: Mapping[str, Any]) -> dict[str, Any]:
    tools = [_tool(tool) for tool in _list(asked.get("tools"), "tools")]
    if not tools:
        return {}
    choice = asked.get("tool_choice")
    if isinstance(choice, dict):
        if choice.get("type") != "function":
            raise Untranslatable("This model can be told to use functions only.", param="tool_choice")
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    return {"tools": tools} | ({} if choice is None else {"tool_choice": choice})


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise Untranslatable("This model can use functions only, and no tool of a host.", param="tools")
    named = {
        name: tool[name]
        for name in ("name", "description", "parameters", "strict")
        if tool.get(name) is not None
    }
    return {"type": "function", "function": named}


def _messages(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if asked.get("instructions"):
        messages.append({"role": "system", "content": asked["instructions"]})
    given = asked.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for place, item in enumerate(_list(given, "input")):
        kind = item.get("type") or "message"
        told = _ITEMS.get(kind)
        if told is None:
            raise Untranslatable(
                f"This model cannot be told an item of type '{kind}'.", param=f"input[{place}]"
            )
        told(messages, item)
    return messages


def _tell_message(messages: list[dict[str, Any]], item: Mapping[str, Any]) -> None:
    role = str(item.get("role", "user"))
    content = item.get("content")
    if role == "assistant":
        told: Any = _plain(content)
    else:
        told = content if isinstance(content, str) else [_part(part) for part in _list(content, "input")]
    messages.append({"role": _ROLES.get(role, role), "content": told})


def _tell_call(messages: list[dict[str, Any]], item: Mapping[str, Any]) -> None:
    """Calls of functions belong to the assistant's message before them."""
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    called = {"id": item.get("call_id"), "type": "function", "function": function}
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(called)


def _tell_result(messages: list[dict[str, Any]], item: Mapping[str, Any]) -> None:
    told = _plain(item.get("output"))
    messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": told})


def _tell_nothing(_: list[dict[str, Any]], __: Mapping[str, Any]) -> None:
    """A chat's model does not read what it thought before."""


_ITEMS: Mapping[str, Callable[[list[dict[str, Any]], Mapping[str, Any]], None]] = {
    "message": _tell_message,
    "function_call": _tell_call,
    "function_call_output": _tell_result,
    "reasoning": _tell_nothing,
}


def _plain(content: Any) -> str:
    """The text of a content."""
    if isinstance(content, str):
        return content
    parts = [part for part in _list(content, "input") if isinstance(part, dict)]
    return "".join([str(part.get("text") or part.get("refusal") or "") for part in parts])


def _part(part: Any) -> dict[str, Any]:
    told = _PARTS.get(str(part.get("type"))) if isinstance(part, dict) else None
    if told is None:
        raise Untranslatable("This model cannot be told a content of that type.", param="input")
    return told(part)


def _text(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": part.get("text", "")}


def _image(part: Mapping[str, Any]) -> dict[str, Any]:
    if not part.get("image_url"):
        raise Untranslatable("Name the picture by its URL: no files are kept for this model.", param="input")
    detail = {"detail": part["detail"]} if part.get("detail") else {}
    return {"type": "image_url", "image_url": {"url": part["image_url"]} | detail}


def _file(part: Mapping[str, Any]) -> dict[str, Any]:
    if not part.get("file_data"):
        raise Untranslatable("Send the file's data: no files are kept for this model.", param="input")
    named = {name: part[name] for name in ("filename", "file_data") if part.get(name)}
    return {"type": "file", "file": named}


def _sound(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": part.get("input_audio")}


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _sound,
}
