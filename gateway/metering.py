"""A provider's counts as disjoint meters: whatever their shape, nothing is counted twice and nothing is lost.

Classes overlap, and not everywhere alike: cached tokens are part of the prompt with OpenAI and stand
beside it with Anthropic; reasoning is part of the answer with one host and not with another. Where a
total is given, it decides. Contradictions and nonsense make a usage doubtful.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import astuple

from gateway.call import Kind, Usage
from gateway.figures import ABSURD, Figures, member, unheard_of

_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_ANSWER_DETAILS = ("completion_tokens_details", "output_tokens_details", "output_token_details")
_ONE_SORT: Mapping[str, tuple[str, str]] = {
    "image": ("", "image_tokens"),
    "speech": ("", "audio_tokens"),
    "transcription": ("audio_tokens", ""),
}
"""What the tokens of a prompt and of an answer are, by the kind of call, where no details say."""

_UNANSWERED = frozenset({"embedding", "moderation", "rerank"})
"""Kinds of calls whose answers are no tokens."""

_BESIDE = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"})
_CACHED = _BESIDE | {"cached_tokens", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens"}
_KNOWN = _CACHED | {"prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"}
_KNOWN |= {"prompt_audio_seconds"}
_KNOWN_IN = frozenset({"cached_tokens", "cache_write_tokens", "cache_creation_tokens"})
_KNOWN_IN |= {"text_tokens", "audio_tokens", "image_tokens"}
_KNOWN_OUT = frozenset({"reasoning_tokens", "text_tokens", "audio_tokens", "image_tokens"})
_KNOWN_OUT |= {"accepted_prediction_tokens", "rejected_prediction_tokens"}
_KNOWN_TOOLS = frozenset({"web_search_requests", "web_fetch_requests"})
_TOKENS = ("_tokens",)

_Count = Annotated[int, Meta(ge=0, lt=ABSURD)]


class _PromptDetails(Struct, forbid_unknown_fields=True, gc=False):
    cached_tokens: _Count | None = None
    audio_tokens: _Count | None = None


class _AnswerDetails(Struct, forbid_unknown_fields=True, gc=False):
    reasoning_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    accepted_prediction_tokens: _Count | None = None
    rejected_prediction_tokens: _Count | None = None


class _Usual(Struct, forbid_unknown_fields=True, gc=False):
    """What OpenAI itself reports of a chat; nearly all calls are read through this alone."""

    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _AnswerDetails | None = None


_usual = msgspec.json.Decoder(_Usual)
_any = msgspec.json.Decoder()


def openai_usage(raw: Raw, kind: Kind = "chat") -> Usage | None:
    """Usage in any shape that OpenAI and the hosts that speak like it report; None where nothing is told."""
    try:
        usage = _from_usual(_usual.decode(raw)) if kind == "chat" else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        usage = None
    return usage or _from_counts(_counts(raw), kind)


def anthropic_usage(raw: Raw) -> Usage | None:
    """Usage as Anthropic reports it: what is cached stands beside the input, not in it."""
    return _anthropic(_counts(raw))


def _from_usual(counts: _Usual) -> Usage | None:
    """None where the figures contradict each other, so that a closer look is needed."""
    prompt, answer = counts.prompt_tokens, counts.completion_tokens
    if counts.total_tokens is not None and counts.total_tokens != prompt + answer:
        return None
    inputs, outputs = counts.prompt_tokens_details, counts.completion_tokens_details
    if inputs is None and outputs is None:
        return Usage(input=prompt, output=answer)
    cached = audio_in = reasoning = audio_out = 0
    if inputs is not None:
        cached, audio_in = inputs.cached_tokens or 0, inputs.audio_tokens or 0
    if outputs is not None:
        reasoning, audio_out = outputs.reasoning_tokens or 0, outputs.audio_tokens or 0
    text_in, text_out = prompt - cached - audio_in, answer - reasoning - audio_out
    if text_in < 0 or text_out < 0:
        return None
    return Usage(
        input=text_in,
        cache_read=cached,
        output=text_out,
        reasoning=reasoning,
        audio_in=audio_in,
        audio_out=audio_out,
    )


def _counts(raw: Raw) -> Mapping[str, Any]:
    try:
        counts = _any.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return counts if isinstance(counts, dict) else {}


def _from_counts(counts: Mapping[str, Any], kind: Kind) -> Usage | None:
    stands_beside = "prompt_tokens" not in counts and not _BESIDE.isdisjoint(counts)
    if stands_beside and not member(counts, *_PROMPT_DETAILS):
        return _anthropic(counts)
    return _openai(counts, kind)


def _anthropic(counts: Mapping[str, Any]) -> Usage | None:
    figures = Figures()
    prompt, answer = figures.take(counts, "input_tokens"), figures.take(counts, "output_tokens")
    read, short, long = _cached(figures, counts, {})
    tools = member(counts, "server_tool_use")
    thought = figures.count(member(counts, *_ANSWER_DETAILS), "thinking_tokens")
    said, reasoning = figures.parts(answer or 0, thought)
    usage = Usage(
        input=prompt or 0,
        cache_read=read,
        cache_write_5m=short,
        cache_write_1h=long,
        output=said,
        reasoning=reasoning,
        search=figures.count(tools, "web_search_requests"),
        unknown=unheard_of(counts, _KNOWN) + unheard_of(tools, _KNOWN_TOOLS),
        doubtful=figures.doubtful or prompt is None or answer is None,
    )
    return _if_told(usage)


def _openai(counts: Mapping[str, Any], kind: Kind) -> Usage | None:
    figures = Figures()
    inputs, outputs = member(counts, *_PROMPT_DETAILS), member(counts, *_ANSWER_DETAILS)
    tools = member(counts, "server_tool_use")
    seconds = _seconds(figures, counts)
    cached = _cached(figures, counts, inputs)
    thought = figures.count(outputs, "reasoning_tokens")
    prompt, answer, unnamed = _wholes(figures, counts, sum(cached), thought, kind)
    if kind in _ONE_SORT:
        of_prompt, of_answer = _ONE_SORT[kind]
        inputs, outputs = inputs or {of_prompt: prompt}, outputs or {of_answer: answer}
    text_in, read, short, long, audio_in, image_in, unknown_in = figures.parts(
        prompt, *cached, *_sounds_and_pictures(figures, inputs), unheard_of(inputs, _KNOWN_IN, _TOKENS)
    )
    text_out, reasoning, audio_out, image_out, unknown_out = figures.parts(
        answer, thought, *_sounds_and_pictures(figures, outputs), unheard_of(outputs, _KNOWN_OUT, _TOKENS)
    )
    usage = Usage(
        input=text_in,
        cache_read=read,
        cache_write_5m=short,
        cache_write_1h=long,
        output=text_out,
        reasoning=reasoning,
        audio_in=audio_in,
        audio_out=audio_out,
        image_in=image_in,
        image_out=image_out,
        search=max(
            figures.count(tools, "web_search_requests"),
            figures.count(inputs, "web_search_requests"),
            figures.count(counts, "num_search_queries", "num_sources_used"),
        ),
        audio_second=seconds,
        unknown_in=unknown_in,
        unknown_out=unknown_out + unnamed,
        unknown=unheard_of(counts, _KNOWN | outputs.keys()) + unheard_of(tools, _KNOWN_TOOLS),
        doubtful=figures.doubtful,
    )
    return _if_told(usage)


def _if_told(usage: Usage) -> Usage | None:
    """Counts without one good figure count nothing: then it is counted here what was said."""
    return None if usage.doubtful and not any(astuple(usage)[:-1]) else usage


def _cached(figures: Figures, counts: Mapping[str, Any], inputs: Mapping[str, Any]) -> tuple[int, int, int]:
    """Tokens read from a cache, and written to it for five minutes, which is the rule, and for an hour.

    Names that mean the same may stand side by side.
    """
    if not inputs and _CACHED.isdisjoint(counts):
        return 0, 0, 0
    read = figures.count(inputs, "cached_tokens")
    read_too = figures.count(counts, "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
    lives = member(counts, "cache_creation") or member(inputs, "cache_creation_token_details")
    short, long = (figures.count(lives, f"ephemeral_{life}_input_tokens") for life in ("5m", "1h"))
    written = max(
        figures.count(counts, "cache_creation_input_tokens"),
        figures.count(inputs, "cache_write_tokens", "cache_creation_tokens"),
    )
    if written:
        figures.doubtful |= short + long > written
        long = min(long, written)
        short = written - long
    return max(read, read_too), short, long


def _seconds(figures: Figures, counts: Mapping[str, Any]) -> int:
    told = counts.get("seconds") if counts.get("type") == "duration" else counts.get("prompt_audio_seconds")
    return figures.seconds(told) if isinstance(told, int | float) else 0


def _sounds_and_pictures(figures: Figures, details: Mapping[str, Any]) -> tuple[int, int]:
    return figures.count(details, "audio_tokens"), figures.count(details, "image_tokens")


def _wholes(
    figures: Figures, counts: Mapping[str, Any], cached: int, thought: int, kind: Kind
) -> tuple[int, int, int]:
    """The whole prompt, the whole answer, and what the total has beyond both."""
    total = figures.take(counts, "total_tokens")
    prompt = figures.take(counts, "prompt_tokens", "input_tokens")
    answer = figures.take(counts, "completion_tokens", "output_tokens")
    if prompt is None and "prompt_cache_miss_tokens" in counts:
        prompt = cached + figures.count(counts, "prompt_cache_miss_tokens")
    if prompt is None and total is not None:
        prompt = max(0, total - (answer or 0))
    if answer is None and total is not None and prompt is not None:
        answer = max(0, total - prompt)
    if counts.get("type") != "duration":
        figures.doubtful |= prompt is None or (answer is None and kind not in _UNANSWERED)
    prompt, answer, unnamed = _reconciled(prompt or 0, answer or 0, total, cached, thought)
    if cached > prompt and not _BESIDE.isdisjoint(counts):
        figures.doubtful, prompt = True, prompt + cached
    figures.doubtful |= total is not None and total < prompt + answer
    return prompt, answer, unnamed


def _reconciled(
    prompt: int, answer: int, total: int | None, cached: int, thought: int
) -> tuple[int, int, int]:
    """Where the total says that cached or reasoning tokens stand beside prompt and answer, they join them."""
    rest = (total or 0) - prompt - answer
    if cached and rest in (cached, cached + thought):
        prompt, rest = prompt + cached, rest - cached
    if thought and rest == thought:
        answer, rest = answer + thought, 0
    return prompt, answer, max(rest, 0)
