"""Hosts that speak like OpenAI count each in their own way, Anthropic in another; meters are the same."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.call import Usage
from gateway.metering import anthropic_usage, openai_usage


def _chat(prompt: Any, answer: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": answer, **more}


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        # DeepSeek: the prompt is what the cache had and what it had not.
        (
            _chat(100, 5, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
            Usage(input=36, cache_read=64, output=5),
        ),
        (
            {"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36, "completion_tokens": 5},
            Usage(input=36, cache_read=64, output=5),
        ),
        # Moonshot and Together: what is cached stands at the top.
        (_chat(100, 5, cached_tokens=64), Usage(input=36, cache_read=64, output=5)),
        (
            _chat(100, 5, cached_tokens=0, prompt_cache_hit_tokens=64),
            Usage(input=36, cache_read=64, output=5),
        ),
        # xAI: reasoning is beside the answer, as the total says. 32 + 9 + 94 = 135
        (
            _chat(32, 9, total_tokens=135, completion_tokens_details={"reasoning_tokens": 94}),
            Usage(input=32, output=9, reasoning=94),
        ),
        # Gemini: nothing but the total knows of what was thought. 135 - 32 - 9 = 94
        (_chat(32, 9, total_tokens=135), Usage(input=32, output=9, unknown_out=94)),
        # OpenRouter
        (
            _chat(
                1_100,
                20,
                total_tokens=1_120,
                cost=0.003,
                is_byok=False,
                cost_details={"upstream_inference_cost": None},
                prompt_tokens_details={"cached_tokens": 800, "cache_write_tokens": 200, "audio_tokens": 0},
                completion_tokens_details={"reasoning_tokens": 12},
            ),
            Usage(input=100, cache_read=800, cache_write_5m=200, output=8, reasoning=12),
        ),
        # litellm in front of Anthropic: the prompt includes both, and the figures stand twice.
        (
            _chat(
                1_100,
                20,
                total_tokens=1_120,
                cache_creation_input_tokens=200,
                cache_read_input_tokens=800,
                server_tool_use={"web_search_requests": 2},
                prompt_tokens_details={
                    "cached_tokens": 800,
                    "cache_creation_tokens": 200,
                    "cache_creation_token_details": {
                        "ephemeral_5m_input_tokens": 50,
                        "ephemeral_1h_input_tokens": 150,
                    },
                },
            ),
            Usage(input=100, cache_read=800, cache_write_5m=50, cache_write_1h=150, output=20, search=2),
        ),
        # Anthropic's sums under OpenAI's names: the total says that cached tokens stand beside the prompt.
        (
            _chat(100, 20, total_tokens=1_120, cache_creation_input_tokens=200, cache_read_input_tokens=800),
            Usage(input=100, cache_read=800, cache_write_5m=200, output=20),
        ),
        # Both at once: 100 + 800 + 20 + 7
        (
            _chat(
                100,
                20,
                total_tokens=927,
                cache_read_input_tokens=800,
                completion_tokens_details={"reasoning_tokens": 7},
            ),
            Usage(input=100, cache_read=800, output=20, reasoning=7),
        ),
        # The same without a total: they cannot be part of so short a prompt.
        (
            _chat(100, 20, cache_read_input_tokens=800),
            Usage(input=100, cache_read=800, output=20, doubtful=True),
        ),
        # Anthropic's own shape
        (
            {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 800},
            Usage(input=100, cache_read=800, output=20),
        ),
        # Anthropic's names beside OpenAI's details: then the prompt includes them.
        (
            {
                "input_tokens": 1_100,
                "output_tokens": 20,
                "input_tokens_details": {"cached_tokens": 800},
                "cache_read_input_tokens": 800,
            },
            Usage(input=300, cache_read=800, output=20),
        ),
        # Perplexity and xAI tell searches each in their way; Groq tells times.
        (_chat(10, 5, num_search_queries=3, search_context_size="low"), Usage(input=10, output=5, search=3)),
        (_chat(10, 5, num_sources_used=4), Usage(input=10, output=5, search=4)),
        (_chat(10, 5, queue_time=1, total_time=0.5), Usage(input=10, output=5)),
    ],
)
def test_hosts_that_speak_like_openai(counts: Any, usage: Usage) -> None:
    assert openai_usage(Raw(msgspec.json.encode(counts))) == usage


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"input_tokens": 10, "output_tokens": 5}, Usage(input=10, output=5)),
        (
            {
                "input_tokens": 2_095,
                "cache_creation_input_tokens": 248,
                "cache_read_input_tokens": 1_051,
                "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
                "output_tokens": 503,
                "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
                "service_tier": "standard",
            },
            Usage(
                input=2_095,
                cache_read=1_051,
                cache_write_5m=148,
                cache_write_1h=100,
                output=503,
                search=3,
            ),
        ),
        (
            {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 9, "cache_creation": None},
            Usage(input=1, output=1, cache_write_5m=9),
        ),
        (
            {"input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 9}},
            Usage(input=1, output=1, cache_write_1h=9),
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6},
            },
            Usage(input=1, output=1, cache_write_5m=3, cache_write_1h=6, doubtful=True),
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation_input_tokens": 4,
                "cache_creation": {"ephemeral_1h_input_tokens": 6},
            },
            Usage(input=1, output=1, cache_write_1h=4, doubtful=True),
        ),
        (
            {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"code_execution_requests": 2}},
            Usage(input=1, output=1, unknown=2),
        ),
        ({"output_tokens": 5}, Usage(output=5, doubtful=True)),
        ({"input_tokens": 10, "output_tokens": -5}, Usage(input=10, doubtful=True)),
        ({}, None),
        ([], None),
    ],
)
def test_a_message_of_anthropic(counts: Any, usage: Usage | None) -> None:
    assert anthropic_usage(Raw(msgspec.json.encode(counts))) == usage
