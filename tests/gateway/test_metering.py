"""Counts of every shape become disjoint meters: nothing twice, nothing lost, nonsense noted."""

from typing import Any, get_args

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from msgspec import Raw
from msgspec.structs import astuple

from gateway.call import Kind, Usage
from gateway.metering import anthropic_usage, openai_usage

LARGEST = (1 << 40) - 1


def _openai(counts: Any, kind: Kind = "chat") -> Usage | None:
    return openai_usage(Raw(msgspec.json.encode(counts)), kind)


def _chat(prompt: Any, answer: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": answer, **more}


def _in(prompt: int, **details: Any) -> dict[str, Any]:
    return _chat(prompt, 0, prompt_tokens_details=details)


def _out(answer: int, **details: Any) -> dict[str, Any]:
    return _chat(0, answer, completion_tokens_details=details)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (_chat(10, 5), Usage(input=10, output=5)),
        (_chat(10, 5, total_tokens=15), Usage(input=10, output=5)),
        (_chat(10, 5, prompt_tokens_details=None, completion_tokens_details=None), Usage(input=10, output=5)),
        (_in(100, cached_tokens=60, audio_tokens=30), Usage(input=10, cache_read=60, audio_in=30)),
        (_in(100, cached_tokens=None, audio_tokens=0), Usage(input=100)),
        (_in(100, text_tokens=60, image_tokens=40), Usage(input=60, image_in=40)),
        (_out(50, reasoning_tokens=30, audio_tokens=15), Usage(output=5, reasoning=30, audio_out=15)),
        (_out(50, accepted_prediction_tokens=20, rejected_prediction_tokens=10), Usage(output=50)),
        (_out(50, text_tokens=10, image_tokens=40), Usage(output=10, image_out=40)),
        (_chat(0, 0), Usage()),
        (_chat(LARGEST, 0), Usage(input=LARGEST)),
        (_chat(10.0, 5.0), Usage(input=10, output=5)),
    ],
)
def test_a_chat(counts: Any, usage: Usage) -> None:
    assert _openai(counts) == usage


def test_a_response_has_other_names_for_the_same() -> None:
    counts = {"input_tokens": 75, "output_tokens": 1_186, "total_tokens": 1_261}
    details = {
        "input_tokens_details": {"cached_tokens": 25},
        "output_tokens_details": {"reasoning_tokens": 1_024},
    }
    assert _openai(counts | details) == Usage(input=50, cache_read=25, output=162, reasoning=1_024)


@pytest.mark.parametrize(
    ("kind", "counts", "usage"),
    [
        ("embedding", {"prompt_tokens": 8, "total_tokens": 8}, Usage(input=8)),
        ("embedding", {"total_tokens": 8}, Usage(input=8)),
        ("moderation", {"prompt_tokens": 8}, Usage(input=8)),
        (
            "transcription",
            {
                "type": "tokens",
                "input_tokens": 114,
                "input_token_details": {"text_tokens": 14, "audio_tokens": 100},
                "output_tokens": 45,
                "total_tokens": 159,
            },
            Usage(input=14, audio_in=100, output=45),
        ),
        ("transcription", {"input_tokens": 100, "output_tokens": 45}, Usage(audio_in=100, output=45)),
        ("transcription", {"type": "duration", "seconds": 27}, Usage(audio_second=27)),
        ("transcription", {"type": "duration", "seconds": 27.0}, Usage(audio_second=27)),
        ("transcription", {"type": "duration", "seconds": 26.01}, Usage(audio_second=27)),
        ("chat", _chat(10, 5, prompt_audio_seconds=3), Usage(input=10, output=5, audio_second=3)),
        ("chat", _chat(10, 5, prompt_audio_seconds=None), Usage(input=10, output=5)),
        (
            "image",
            {
                "input_tokens": 50,
                "output_tokens": 1_056,
                "total_tokens": 1_106,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            },
            Usage(input=10, image_in=40, image_out=1_056),
        ),
        (
            "image",
            {
                "input_tokens": 50,
                "output_tokens": 1_066,
                "output_tokens_details": {"text_tokens": 10, "image_tokens": 1_056},
            },
            Usage(input=50, output=10, image_out=1_056),
        ),
        ("speech", {"input_tokens": 14, "output_tokens": 101}, Usage(input=14, audio_out=101)),
    ],
)
def test_other_kinds_of_calls(kind: Kind, counts: Any, usage: Usage) -> None:
    assert _openai(counts, kind) == usage


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (_in(10, cached_tokens=99), Usage(cache_read=10, doubtful=True)),
        (_in(10, cached_tokens=8, audio_tokens=8), Usage(cache_read=8, audio_in=2, doubtful=True)),
        (_out(5, reasoning_tokens=9), Usage(reasoning=5, doubtful=True)),
        (_chat(-5, 7), Usage(output=7, doubtful=True)),
        (_chat(7, 1 << 53), Usage(input=7, doubtful=True)),
        (_chat(7, 1 << 70), Usage(input=7, doubtful=True)),
        (_chat(7, 1e300), Usage(input=7, doubtful=True)),
        (_chat("7", 5), Usage(output=5, doubtful=True)),
        (_chat(7, 1.5), Usage(input=7, doubtful=True)),
        (_chat(7, True), Usage(input=7, doubtful=True)),
        (_chat(7, [5]), Usage(input=7, doubtful=True)),
        (_chat(7, None), Usage(input=7, doubtful=True)),
        (_chat(None, 7), Usage(output=7, doubtful=True)),
        (_chat(10, None, total_tokens=15), Usage(input=10, output=5)),
        (_chat(None, 5, total_tokens=15), Usage(input=10, output=5)),
        (_chat(10, 5, total_tokens=12), Usage(input=10, output=5, doubtful=True)),
        (_in(10, cached_tokens=-1), Usage(input=10, doubtful=True)),
        (_in(10, cached_tokens="1"), Usage(input=10, doubtful=True)),
        (_chat(10, 5, prompt_tokens_details=[1]), Usage(input=10, output=5)),
    ],
)
def test_what_cannot_be_is_zero_and_doubtful(counts: Any, usage: Usage) -> None:
    assert _openai(counts) == usage


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"cost": 0.1},
        _chat(None, None),
        _chat("ten", None),
        _chat(1.5, -1),
        _chat(1 << 40, 1 << 53),
        {"prompt_tokens": 0},
        [1],
        7,
        None,
    ],
)
def test_counts_without_one_good_figure_are_none(counts: Any) -> None:
    assert _openai(counts) is None


def test_what_is_no_json_is_none() -> None:
    assert openai_usage(Raw()) is None
    assert openai_usage(Raw(b'{"prompt_tokens":\xff}')) is None
    assert openai_usage(Raw(b'{"a":' + b"[" * 100_000)) is None


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (_in(100, video_tokens=40), Usage(input=60, unknown_in=40)),
        (_in(100, video_length_seconds=40, character_count=9), Usage(input=100)),
        (_in(100, cached_tokens=90, video_tokens=40), Usage(cache_read=90, unknown_in=10, doubtful=True)),
        (_out(50, smell_tokens=20), Usage(output=30, unknown_out=20)),
        (_chat(10, 5, citation_tokens=70), Usage(input=10, output=5, unknown=70)),
        (_chat(10, 5, citation_tokens=0, tool_tokens=None, x_tokens=-1), Usage(input=10, output=5)),
        (_chat(10, 5, server_tool_use={"code_requests": 2}), Usage(input=10, output=5, unknown=2)),
        (_chat(10, 5, unheard_of={"x_tokens": 1}, note="x"), Usage(input=10, output=5)),
        (
            _chat(10, 9, reasoning_tokens=4, completion_tokens_details={"reasoning_tokens": 4}),
            Usage(input=10, output=5, reasoning=4),
        ),
    ],
)
def test_an_unknown_class_is_kept_apart(counts: Any, usage: Usage) -> None:
    assert _openai(counts) == usage


names = st.sampled_from(
    [
        *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "seconds"),
        *("prompt_tokens_details", "completion_tokens_details", "input_token_details", "cached_tokens"),
        *("cache_creation", "cache_creation_input_tokens", "cache_read_input_tokens", "server_tool_use"),
        *("prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "web_search_requests", "audio_tokens"),
        *("reasoning_tokens", "prompt_audio_seconds", "type", "video_tokens"),
    ]
)
figures = st.none() | st.integers(-5, 2_000) | st.floats() | st.just("7") | st.just(1 << 60)
parts = st.dictionaries(
    st.sampled_from(["cached_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "video_tokens"]),
    figures,
)


@given(st.integers(0, 5_000), st.integers(0, 5_000), parts, parts)
def test_meters_add_up_to_their_totals(prompt: int, answer: int, inputs: Any, outputs: Any) -> None:
    total = prompt + answer
    details = {"prompt_tokens_details": inputs, "completion_tokens_details": outputs}
    usage = _openai(_chat(prompt, answer, total_tokens=total, **details)) or Usage()
    assert usage.prompt_tokens == prompt
    assert usage.tokens == total


anything = st.recursive(
    figures | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(names, anything), st.sampled_from(get_args(Kind)))
def test_whatever_is_told_no_meter_is_less_than_nothing(counts: Any, kind: Kind) -> None:
    raw = Raw(msgspec.json.encode(counts))
    for usage in (openai_usage(raw, kind), anthropic_usage(raw)):
        assert usage is None or min(astuple(usage)[:-1]) >= 0
