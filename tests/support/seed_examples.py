"""The examples of the documents that this gateway was asked for, as they stand there, and their answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.plain_doors import events_of


@dataclass(frozen=True)
class Example:
    """A command as it is written, what answers it, and what it costs."""

    command: str
    holds: Callable[[str], bool]
    entries: int = 0
    tenant: str = "demo"


def told(text: str) -> Any:
    """A body, read."""
    return json.loads(text)


def has(*names: str) -> Callable[[str], bool]:
    """Whether a body has these members, and no others."""
    return lambda text: set(told(text)) == set(names)


QUERY_ANSWER = ("response", "provider", "tokens_used", "processing_time", "cost", "cached", "correlation_id")
HEALTH = {"service", "version", "uptime", "providers", "cache", "rate_limiter", "timestamp"}
GENERATED = {"id", "model", "provider", "text", "finish_reason", "usage", "cost", "cached", "latency_ms"}
MODEL = {"name", "provider", "type", "status", "capabilities", "context_window", "aliases"}
ALIASES = {"tiny", "small", "large", "frontier", "coding", "embedding"}


def is_text_envelope(text: str) -> bool:
    """A generated text of the first document."""
    data = told(text)["data"]
    usage = {"prompt_tokens", "completion_tokens", "total_tokens"}
    return (
        told(text)["success"]
        and set(data) == {"text", "model", "usage", "finish_reason"}
        and set(data["usage"]) == usage
    )


def is_vector_envelope(text: str) -> bool:
    """Vectors of the first document."""
    data = told(text)["data"]
    return (
        told(text)["success"]
        and set(data) == {"embeddings", "model", "usage"}
        and len(data["embeddings"]) == 1
    )


def is_stream_of_texts(text: str) -> bool:
    """A stream of the second document."""
    *pieces, last, end = events_of(text)
    said = "".join(piece["text"] for piece in pieces)
    return (said, last["done"], end) == ("Explain quantum computing", True, "[DONE]")


def is_stream_of_chunks(text: str) -> bool:
    """A stream of the third document."""
    *pieces, last, end = events_of(text)
    said = "".join(piece["chunk"] for piece in pieces)
    return (said, last, end) == ("Write a short story about AI", {"chunk": "", "finished": True}, "[DONE]")


def lists_models(text: str) -> bool:
    """The models of the second document, with all six aliases."""
    models = told(text)["models"]
    return (
        all(set(one) == MODEL for one in models)
        and {name for one in models for name in one["aliases"]} == ALIASES
    )


def lists_providers(text: str) -> bool:
    """The providers of the third document."""
    (provider,) = told(text)["providers"]
    return set(provider) == {"name", "type", "model", "security_level", "cost_per_token", "status"}


def is_chat(text: str) -> bool:
    """A chat completion of the last document."""
    answer = told(text)
    return answer["choices"][0]["message"]["content"] == "Hi" and answer["usage"]["from_cache"] is False


EXAMPLES = {
    "000 generate": Example(
        r"""
curl -X POST http://localhost:8080/api/v1/gateway/generate \
  -H "Content-Type: application/json" \
  -H "X-Tenant-ID: tenant_123" \
  -d '{
    "prompt": "What is AI?",
    "model": "gpt-4",
    "max_tokens": 500
  }'
""",
        is_text_envelope,
        1,
        "tenant_123",
    ),
    "000 embeddings": Example(
        r"""
curl -X POST http://localhost:8080/api/v1/gateway/embeddings \
  -H "Content-Type: application/json" \
  -H "X-Tenant-ID: tenant_123" \
  -d '{
    "texts": ["Hello world"],
    "model": "text-embedding-3-small"
  }'
""",
        is_vector_envelope,
        1,
        "tenant_123",
    ),
    "002 generate": Example(
        r"""
curl -X POST http://localhost:8000/api/v1/generate \
  -H "Content-Type: application/json" \
  -d '{
    "model": "gemma3:12b",
    "prompt": "Write a Python function to calculate fibonacci",
    "temperature": 0.7,
    "max_tokens": 2000
  }'
""",
        lambda text: set(told(text)) == GENERATED and told(text)["model"] == "gemma3:12b",
        1,
    ),
    "002 stream": Example(
        r"""
curl -X POST http://localhost:8000/api/v1/generate \
  -H "Content-Type: application/json" \
  -d '{
    "model": "gemma3:12b",
    "prompt": "Explain quantum computing",
    "stream": true
  }'
""",
        is_stream_of_texts,
        1,
    ),
    "002 models": Example("curl http://localhost:8000/api/v1/models", lists_models),
    "003 query": Example(
        r"""
curl -X POST "http://localhost:5055/query" \
  -H "Content-Type: application/json" \
  -d '{
    "prompt": "Explain quantum computing in simple terms",
    "temperature": 0.7,
    "max_tokens": 500
  }'
""",
        has(*QUERY_ANSWER),
        1,
    ),
    "003 sensitive": Example(
        r"""
curl -X POST "http://localhost:5055/query" \
  -H "Content-Type: application/json" \
  -d '{
    "prompt": "Analyze this internal API key: sk-1234567890abcdef",
    "user_id": "developer123"
  }'
""",
        has(*QUERY_ANSWER),
        1,
    ),
    "003 stream": Example(
        r"""
curl -X POST "http://localhost:5055/stream" \
  -H "Content-Type: application/json" \
  -d '{
    "prompt": "Write a short story about AI",
    "provider": "openai"
  }'
""",
        is_stream_of_chunks,
        1,
    ),
    "003 health": Example(
        'curl "http://localhost:5055/health/detailed"', lambda text: set(told(text)) >= HEALTH
    ),
    "003 providers": Example('curl "http://localhost:5055/providers"', lists_providers),
    "003 rate limits": Example(
        'curl "http://localhost:5055/rate-limit/status?user_id=user123"',
        lambda text: (
            set(told(text)) == {"user_id", "limits", "cooldown_until"} and told(text)["user_id"] == "user123"
        ),
    ),
    "003 reset": Example(
        r"""
curl -X POST "http://localhost:5055/admin/reset-limits" \
  -H "Authorization: Bearer admin-token" \
  -d '{"user_id": "user123"}'
""",
        lambda text: told(text) == {"limits_reset": 0, "user_id": "user123"},
    ),
    "003 quick start": Example(
        r"""
curl -X POST "http://localhost:5055/query" \
     -H "Content-Type: application/json" \
     -d '{"prompt": "Hello, world!"}'
""",
        lambda text: told(text)["response"] == "Hello, world!",
        1,
    ),
    "004 chat": Example(
        r"""
curl -X POST http://localhost:8001/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{
    "messages": [{"role": "user", "content": "Hi"}],
    "stream": false
  }'
""",
        is_chat,
        1,
    ),
}
