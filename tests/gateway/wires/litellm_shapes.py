"""What providers without a wire of ours answer, after their public documentation: whole, and as streams.

Each answer thinks, says "Hello wide", and calls the tool `weather` with the city of Paris.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.call import Usage
from tests.gateway.wires.litellm_bytes import Shape, frame, frames, lines, sse, told
from tests.gateway.wires.litellm_claude import ANTHROPIC

_GEMINI_COUNTS = {
    "promptTokenCount": 40,
    "cachedContentTokenCount": 10,
    "candidatesTokenCount": 9,
    "thoughtsTokenCount": 10,
    "totalTokenCount": 59,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 32},
        {"modality": "IMAGE", "tokenCount": 8},
    ],
}


def _gemini(
    parts: Sequence[Mapping[str, Any]], counts: Mapping[str, Any], **candidate: Any
) -> Mapping[str, Any]:
    content = {"role": "model", "parts": parts}
    return {
        "candidates": [{"content": content, "index": 0, **candidate}],
        "usageMetadata": counts,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "answer-1",
    }


_GEMINI_EARLY = {"promptTokenCount": 40, "totalTokenCount": 40}
_GEMINI_CALL = {"functionCall": {"name": "weather", "args": {"city": "Paris"}}}

GEMINI = Shape(
    upstream="gemini/gemini-2.5-flash",
    whole=told(
        _gemini(
            [{"text": "Hmm.", "thought": True}, {"text": "Hello wide"}, _GEMINI_CALL],
            _GEMINI_COUNTS,
            finishReason="STOP",
        )
    ),
    stream=sse(
        _gemini([{"text": "Hmm.", "thought": True}], _GEMINI_EARLY),
        _gemini([{"text": "Hello"}], _GEMINI_EARLY),
        _gemini([{"text": " wide"}], _GEMINI_EARLY),
        _gemini([_GEMINI_CALL], _GEMINI_COUNTS, finishReason="STOP"),
    ),
    usage=Usage(input=22, cache_read=10, image_in=8, output=9, reasoning=10),
    error=sse({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
)

_BEDROCK_COUNTS = {
    "inputTokens": 21,
    "outputTokens": 14,
    "totalTokens": 42,
    "cacheReadInputTokens": 4,
    "cacheWriteInputTokens": 3,
}

BEDROCK = Shape(
    upstream="bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
    whole=told(
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "Hmm.", "signature": "signed"}}},
                        {"text": "Hello wide"},
                        {
                            "toolUse": {
                                "toolUseId": "tooluse_1",
                                "name": "weather",
                                "input": {"city": "Paris"},
                            }
                        },
                    ],
                }
            },
            "stopReason": "tool_use",
            "usage": _BEDROCK_COUNTS,
            "metrics": {"latencyMs": 12},
        }
    ),
    stream=frames(
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hmm."}}}),
        (
            "contentBlockDelta",
            {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "signed"}}},
        ),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hello"}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": " wide"}}),
        ("contentBlockStop", {"contentBlockIndex": 1}),
        (
            "contentBlockStart",
            {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "weather"}}},
        ),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"city": '}}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '"Paris"}'}}}),
        ("contentBlockStop", {"contentBlockIndex": 2}),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"usage": _BEDROCK_COUNTS, "metrics": {"latencyMs": 12}}),
    ),
    usage=Usage(input=21, cache_read=4, cache_write_5m=3, output=14),
    error=frame("throttlingException", {"message": "Too many tokens."}, exception=True),
)

_COHERE_CALL = {"id": "weather_1", "type": "function"}
_COHERE_COUNTS = {
    "billed_units": {"input_tokens": 17, "output_tokens": 12},
    "tokens": {"input_tokens": 83, "output_tokens": 12},
}


def _cohere(kind: str, at: int | None = None, **message: Any) -> Mapping[str, Any]:
    told: dict[str, Any] = {"type": kind, "delta": {"message": message}}
    return told if at is None else {**told, "index": at}


COHERE = Shape(
    upstream="cohere/command-a-reasoning-08-2025",
    whole=told(
        {
            "id": "answer-1",
            "finish_reason": "TOOL_CALL",
            "message": {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "Hmm."}, {"type": "text", "text": "Hello wide"}],
                "tool_calls": [
                    {**_COHERE_CALL, "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
                ],
            },
            "usage": _COHERE_COUNTS,
        }
    ),
    stream=sse(
        {
            "type": "message-start",
            "id": "answer-1",
            "delta": {"message": {"role": "assistant", "content": []}},
        },
        _cohere("content-start", 0, content={"type": "thinking", "thinking": ""}),
        _cohere("content-delta", 0, content={"thinking": "Hmm."}),
        {"type": "content-end", "index": 0},
        _cohere("content-start", 1, content={"type": "text", "text": ""}),
        _cohere("content-delta", 1, content={"text": "Hello"}),
        _cohere("content-delta", 1, content={"text": " wide"}),
        {"type": "content-end", "index": 1},
        _cohere(
            "tool-call-start",
            0,
            tool_calls={**_COHERE_CALL, "function": {"name": "weather", "arguments": ""}},
        ),
        _cohere("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city": '}}),
        _cohere("tool-call-delta", 0, tool_calls={"function": {"arguments": '"Paris"}'}}),
        {"type": "tool-call-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": _COHERE_COUNTS}},
        named=True,
    ),
    usage=Usage(input=17, output=12),
    error=sse(
        {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "out of order"}}, named=True
    ),
)


def _ollama(message: Mapping[str, Any], **members: Any) -> Mapping[str, Any]:
    told = {"model": "llama3", "created_at": "2026-01-01T00:00:00Z", "done": False}
    return {**told, "message": {"role": "assistant", "content": "", **message}, **members}


_OLLAMA_CALL = {"function": {"name": "weather", "arguments": {"city": "Paris"}}}
_OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 11}

OLLAMA = Shape(
    upstream="ollama/llama3",
    whole=told(
        _ollama({"thinking": "Hmm.", "content": "Hello wide", "tool_calls": [_OLLAMA_CALL]}, **_OLLAMA_END)
    ),
    stream=lines(
        _ollama({"thinking": "Hmm."}),
        _ollama({"content": "Hello"}),
        _ollama({"content": " wide"}),
        _ollama({"tool_calls": [_OLLAMA_CALL]}),
        _ollama({}, **_OLLAMA_END),
    ),
    usage=Usage(input=26, output=11),
    error=lines({"error": "an error was encountered while running the model"}),
)

SHAPES = {
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "bedrock": BEDROCK,
    "cohere": COHERE,
    "ollama": OLLAMA,
}
