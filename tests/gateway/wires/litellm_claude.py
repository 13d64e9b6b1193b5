"""What Anthropic answers, after its public documentation."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.call import Usage
from tests.gateway.wires.litellm_bytes import Shape, sse, told


def _text_block(
    at: int, kind: str, deltas: Sequence[Mapping[str, Any]], **block: Any
) -> list[Mapping[str, Any]]:
    return [
        {"type": "content_block_start", "index": at, "content_block": {"type": kind, **block}},
        *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": at},
    ]


_ANTHROPIC_PROMPT = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 6,
    "cache_read_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 2},
    "service_tier": "standard",
}

ANTHROPIC = Shape(
    upstream="claude-sonnet-4-5",
    wire="anthropic",
    whole=told(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [
                {"type": "thinking", "thinking": "Hmm.", "signature": "signed"},
                {"type": "text", "text": "Hello wide"},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {**_ANTHROPIC_PROMPT, "output_tokens": 15},
        }
    ),
    stream=sse(
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-sonnet-4-5",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {**_ANTHROPIC_PROMPT, "output_tokens": 1},
            },
        },
        {"type": "ping"},
        *_text_block(
            0,
            "thinking",
            [
                {"type": "thinking_delta", "thinking": "Hmm."},
                {"type": "signature_delta", "signature": "signed"},
            ],
            thinking="",
            signature="",
        ),
        *_text_block(
            1,
            "text",
            [{"type": "text_delta", "text": "Hello"}, {"type": "text_delta", "text": " wide"}],
            text="",
        ),
        *_text_block(
            2,
            "tool_use",
            [
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"city": '},
                {"type": "input_json_delta", "partial_json": '"Paris"}'},
            ],
            id="toolu_1",
            name="weather",
            input={},
        ),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 15},
        },
        {"type": "message_stop"},
        named=True,
    ),
    usage=Usage(input=20, cache_read=5, cache_write_5m=4, cache_write_1h=2, output=15),
    error=sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True),
)
