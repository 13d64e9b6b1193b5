"""What the provider stub can be told to do as a provider that speaks Anthropic's format."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.support.provider_scripts import (
    CHUNKED_END,
    Headers,
    answer_honestly,
    chunked,
    fall_silent,
    head,
    replies,
    stream_head,
)
from tests.support.provider_stub import Heard, Script, Turn

COUNTED = 4_242
"""What it says a prompt has, when it is asked to count."""

PROMPT_USAGE: Mapping[str, Any] = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 40,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "service_tier": "standard",
}
OUTPUT_TOKENS = 15
METERS: dict[str, Any] = {
    "input": 25,
    "cache_read": 40,
    "cache_write_5m": 10,
    "cache_write_1h": 20,
    "output": OUTPUT_TOKENS,
}

HELLO = {"type": "text", "text": "Hello wide world"}
THOUGHT = {"type": "thinking", "thinking": "They greet me.", "signature": "c2lnbmVk"}
_BIT = 6

Block = Mapping[str, Any]


async def answer_as_either(turn: Turn) -> None:
    """Answer whatever was asked in the format that its address says."""
    if "/messages" in turn.heard.path:
        await answer_anthropic(turn)
    else:
        await answer_honestly(turn)


async def answer_anthropic(turn: Turn) -> None:
    """Answer as a provider without trouble does: think if that is wanted, and use the first tool there is."""
    heard = turn.heard
    if heard.path.endswith("/count_tokens"):
        await replies(json.dumps({"input_tokens": COUNTED}).encode())(turn)
    elif heard.member("stream"):
        await streams(events(*_said(heard)))(turn)
    else:
        await replies(message(*_said(heard)))(turn)


def message(*blocks: Block, **members: Any) -> bytes:
    """A whole message."""
    usage = {**PROMPT_USAGE, "output_tokens": OUTPUT_TOKENS}
    return json.dumps(_message(blocks, usage) | {"stop_reason": _stop_reason(blocks)} | members).encode()


def events(*blocks: Block) -> list[bytes]:
    """A message as a stream: the prompt is counted at the start, the answer at the end."""
    started = _message((), {**PROMPT_USAGE, "output_tokens": 1})
    told = [event("message_start", message=started), event("ping")]
    for index, block in enumerate(blocks):
        told += _block_events(index, block)
    delta = {"stop_reason": _stop_reason(blocks), "stop_sequence": None}
    told.append(event("message_delta", delta=delta, usage={"output_tokens": OUTPUT_TOKENS}))
    return [*told, STOP]


def event(kind: str, **members: Any) -> bytes:
    """A server-sent event as Anthropic names them."""
    data = json.dumps({"type": kind, **members}, ensure_ascii=False).encode()
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def error_event(kind: str, told: str = "no luck") -> bytes:
    """An error in the middle of a stream."""
    return event("error", error={"type": kind, "message": told})


def text_events(text: str, index: int = 0) -> list[bytes]:
    """One block of text, bit by bit."""
    return _block_events(index, {"type": "text", "text": text})


def streams(told: Sequence[bytes], *, gated: bool = False, ends: str = "") -> Script:
    """A stream of these events; gated, each waits at the gate. It `ends` with a cut or in silence."""

    async def script(turn: Turn) -> None:
        turn.write(stream_head())
        for one in told:
            if gated:
                await turn.gate.passed()
            turn.write(chunked(one))
        if ends == "cut":
            turn.cut()
        elif ends == "silence":
            await fall_silent(turn)
        else:
            turn.complete(CHUNKED_END)

    return script


def refuses(status: int, kind: str, told: str = "no luck", *, headers: Headers = ()) -> Script:
    """An error in Anthropic's form."""
    body = json.dumps({"type": "error", "error": {"type": kind, "message": told}}).encode()

    async def script(turn: Turn) -> None:
        named = [("content-type", "application/json"), *headers, ("content-length", str(len(body)))]
        turn.write(head(status, named) + body)

    return script


STOP = event("message_stop")


def _said(heard: Heard) -> list[Block]:
    tools, last = heard.member("tools"), heard.member("messages")[-1]["content"]
    thoughts: list[Block] = [THOUGHT] if heard.member("thinking") else []
    if tools and not any(part["type"] == "tool_result" for part in last if isinstance(part, dict)):
        used = {"type": "tool_use", "id": "toolu_1", "name": tools[0]["name"], "input": {"city": "Köln"}}
        return [*thoughts, used]
    return [*thoughts, HELLO]


def _message(blocks: Iterable[Block], usage: Mapping[str, Any]) -> dict[str, Any]:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "upstream"}
    return {**told, "content": list(blocks), "stop_reason": None, "stop_sequence": None, "usage": usage}


def _stop_reason(blocks: Sequence[Block]) -> str:
    return "tool_use" if blocks and blocks[-1]["type"] == "tool_use" else "end_turn"


def _block_events(index: int, block: Block) -> list[bytes]:
    opened, deltas = _OPENED[block["type"]](block)
    return [
        event("content_block_start", index=index, content_block=opened),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def _text(block: Block) -> tuple[Block, list[Block]]:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": bit} for bit in _bits(block["text"])]


def _thinking(block: Block) -> tuple[Block, list[Block]]:
    thoughts = [{"type": "thinking_delta", "thinking": bit} for bit in _bits(block["thinking"])]
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signed]


def _tool_use(block: Block) -> tuple[Block, list[Block]]:
    written = json.dumps(block["input"], ensure_ascii=False)
    return {**block, "input": {}}, [
        {"type": "input_json_delta", "partial_json": bit} for bit in ["", *_bits(written)]
    ]


def _bits(text: str) -> list[str]:
    return [text[at : at + _BIT] for at in range(0, len(text), _BIT)]


_OPENED = {"text": _text, "thinking": _thinking, "tool_use": _tool_use}
