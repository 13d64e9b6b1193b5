"""Usage as other providers report it, told again in the shapes that `gateway/metering.py` reads."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from gateway.call import Kind, Usage
from gateway.metering import anthropic_usage, openai_usage

_encode = msgspec.json.Encoder().encode
Counts = Mapping[str, Any]


def gemini_usage(counts: Counts) -> Usage | None:
    """The cached part is in the prompt; prompts of tools stand beside it, and thoughts beside the answer.

    With one host thoughts are in the answer: there the total is as much as prompt and answer.
    """
    sorts, cached_sorts = _sorts(counts, "promptTokensDetails"), _sorts(counts, "cacheTokensDetails")
    said = _sorts(counts, "candidatesTokensDetails")
    total, thought = counts.get("totalTokenCount"), counts.get("thoughtsTokenCount")
    prompt = _sum(counts.get("promptTokenCount"), counts.get("toolUsePromptTokenCount"))
    answer = counts.get("candidatesTokenCount", None if prompt is None else 0)
    if _sum(prompt, answer) != total:
        answer = _sum(answer, thought)
    return _openai(
        {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": total,
            "prompt_tokens_details": {
                "cached_tokens": counts.get("cachedContentTokenCount"),
                "audio_tokens": _less(sorts.get("AUDIO"), cached_sorts.get("AUDIO")),
                "image_tokens": _less(sorts.get("IMAGE"), cached_sorts.get("IMAGE")),
            },
            "completion_tokens_details": {
                "reasoning_tokens": thought,
                "audio_tokens": said.get("AUDIO"),
                "image_tokens": said.get("IMAGE"),
            },
        }
    )


def bedrock_usage(counts: Counts) -> Usage | None:
    """What is cached stands beside the input, as with Anthropic."""
    lives = counts.get("cacheDetails")
    lived = {
        f"ephemeral_{one.get('ttl')}_input_tokens": one.get("inputTokens")
        for one in (lives if isinstance(lives, list) else [])
        if isinstance(one, dict)
    }
    told = {
        "input_tokens": counts.get("inputTokens"),
        "output_tokens": counts.get("outputTokens"),
        "cache_read_input_tokens": counts.get("cacheReadInputTokens"),
        "cache_creation_input_tokens": counts.get("cacheWriteInputTokens"),
        "cache_creation": lived or None,
    }
    return anthropic_usage(Raw(_encode(told)))


def cohere_usage(counts: Counts, kind: Kind = "chat") -> Usage | None:
    """What Cohere bills, where it says so: its tokens count a preamble too that nobody pays."""
    told = counts.get("billed_units") or counts.get("tokens")
    if not isinstance(told, dict):
        return None
    prompt, answer = told.get("input_tokens"), told.get("output_tokens")
    return _openai({"prompt_tokens": prompt, "completion_tokens": answer}, kind)


def ollama_usage(counts: Counts, kind: Kind = "chat") -> Usage | None:
    """Its counts stand beside the answer; without that of the prompt, the prompt was in memory still."""
    prompt, answer = counts.get("prompt_eval_count"), counts.get("eval_count")
    if kind == "chat" and answer is not None and prompt is None:
        prompt = 0
    return _openai({"prompt_tokens": prompt, "completion_tokens": answer}, kind)


def as_openai(usage: Usage) -> dict[str, Any]:
    """Our meters in OpenAI's words, for a caller who speaks so."""
    answer = usage.tokens - usage.prompt_tokens
    told: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": answer,
        "total_tokens": usage.tokens,
    }
    read, written = usage.cache_read, usage.cache_write_5m + usage.cache_write_1h
    inputs = {"cached_tokens": read, "cache_write_tokens": written, "audio_tokens": usage.audio_in}
    outputs = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_out}
    for name, details in (("prompt_tokens_details", inputs), ("completion_tokens_details", outputs)):
        if any(details.values()):
            told[name] = {part: count for part, count in details.items() if count}
    return told


def as_anthropic(usage: Usage) -> dict[str, int]:
    """Our meters in Anthropic's words: what is cached stands beside the input."""
    written = usage.cache_write_5m + usage.cache_write_1h
    return {
        "input_tokens": usage.prompt_tokens - usage.cache_read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.tokens - usage.prompt_tokens,
    }


def _openai(told: Counts, kind: Kind = "chat") -> Usage | None:
    given = {name: value for name, value in told.items() if value is not None}
    return openai_usage(Raw(_encode(given)), kind) if given else None


def _sorts(counts: Counts, name: str) -> Mapping[str, Any]:
    details = counts.get(name)
    if not isinstance(details, list):
        return {}
    return {str(one.get("modality")): one.get("tokenCount") for one in details if isinstance(one, dict)}


def _sum(one: Any, other: Any) -> Any:
    return one + other if type(one) is int and type(other) is int else one


def _less(whole: Any, part: Any) -> Any:
    return whole - part if type(whole) is int and type(part) is int else whole
