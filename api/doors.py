"""Every address of the lane: found by an exact dict first, by prefix second."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.json import encode

from api.asgi import Headers
from api.dialect import Dialect
from api.dialects import anthropic, gateway_v1, models_v1, openai, openai_responses, query
from api.openai_bodies import (
    parse_completion,
    parse_image,
    parse_moderation,
    parse_rerank,
    parse_speech,
)
from api.openai_forms import parse_transcription
from api.telling.cache import clear_cache, tell_cache
from api.telling.desk import Desk, Question
from api.telling.health import readiness_status, tell_health, tell_life, tell_readiness
from api.telling.kept import tell_kept
from api.telling.limits import reset_limits, tell_limits
from api.telling.models import list_models, list_names, tell_model, tell_name
from api.telling.providers import list_providers
from api.telling.usage import tell_usage, tell_usage_stats
from gateway.call import Ask

Parse = Callable[[bytes, Headers], Ask]


class Inference(Struct, frozen=True, kw_only=True):
    """A door behind which a model works: it costs, so it is admitted and settled."""

    dialect: Dialect
    parse: Parse
    form: bool = False
    """Its bodies are forms with files in them, not JSON."""
    by_body: bool = True
    """What is asked stands in the body alone; no header says more of it."""
    method: str = "POST"


class Telling(Struct, frozen=True, kw_only=True):
    """A door that only tells what the caller may see, and costs nothing."""

    dialect: Dialect
    tell: Callable[[Desk, Question], Any]
    """What is told, or what will be once it is awaited."""
    render: Callable[[Any], bytes] = encode
    status: Callable[[Any], int] = lambda _: 200
    read: Callable[[bytes], Any] | None = None
    """What of a body it needs to know."""
    needs_key: bool = True
    method: str = "GET"


Door = Inference | Telling

_OPENAI: Dialect = openai
_RESPONSES: Dialect = openai_responses
_ANTHROPIC: Dialect = anthropic
_GATEWAY: Dialect = gateway_v1
_MODELS: Dialect = models_v1
_QUERY: Dialect = query

DOORS: Mapping[str, Door] = {
    "/v1/chat/completions": Inference(dialect=_OPENAI, parse=openai.parse_chat),
    "/v1/completions": Inference(dialect=_OPENAI, parse=parse_completion),
    "/v1/embeddings": Inference(dialect=_OPENAI, parse=openai.parse_embeddings),
    "/v1/responses": Inference(dialect=_RESPONSES, parse=openai_responses.parse_response),
    "/v1/moderations": Inference(dialect=_OPENAI, parse=parse_moderation),
    "/v1/images/generations": Inference(dialect=_OPENAI, parse=parse_image),
    "/v1/audio/speech": Inference(dialect=_OPENAI, parse=parse_speech),
    "/v1/audio/transcriptions": Inference(
        dialect=_OPENAI, parse=parse_transcription, form=True, by_body=False
    ),
    "/v1/rerank": Inference(dialect=_OPENAI, parse=parse_rerank),
    "/v1/messages": Inference(dialect=_ANTHROPIC, parse=anthropic.parse_message, by_body=False),
    "/v1/messages/count_tokens": Inference(dialect=_ANTHROPIC, parse=anthropic.parse_count, by_body=False),
    "/v1/models": Telling(dialect=_OPENAI, tell=list_names, render=openai.render_models),
    "/api/v1/gateway/generate": Inference(dialect=_GATEWAY, parse=gateway_v1.parse_generate),
    "/api/v1/gateway/generate/stream": Inference(dialect=_GATEWAY, parse=gateway_v1.parse_stream),
    "/api/v1/gateway/embeddings": Inference(dialect=_GATEWAY, parse=gateway_v1.parse_embeddings),
    "/api/v1/gateway/providers": Telling(
        dialect=_GATEWAY, tell=list_providers, render=gateway_v1.render_providers
    ),
    "/api/v1/gateway/rate-limits": Telling(
        dialect=_GATEWAY, tell=tell_limits, render=gateway_v1.render_limits
    ),
    "/api/v1/generate": Inference(dialect=_MODELS, parse=models_v1.parse_generate),
    "/api/v1/models": Telling(dialect=_MODELS, tell=list_models, render=models_v1.render_models),
    "/api/v1/health": Telling(dialect=_MODELS, tell=tell_life, needs_key=False),
    "/api/v1/health/detailed": Telling(dialect=_MODELS, tell=tell_health),
    "/api/v1/usage": Telling(dialect=_MODELS, tell=tell_usage),
    "/api/v1/usage/stats": Telling(dialect=_MODELS, tell=tell_usage_stats),
    "/query": Inference(dialect=_QUERY, parse=query.parse_query),
    "/chat": Inference(dialect=_QUERY, parse=query.parse_chat),
    "/stream": Inference(dialect=_QUERY, parse=query.parse_stream),
    "/embeddings": Inference(dialect=_QUERY, parse=query.parse_embeddings),
    "/providers": Telling(dialect=_QUERY, tell=list_providers, render=query.render_providers),
    "/rate-limit/status": Telling(dialect=_QUERY, tell=tell_limits),
    "/admin/reset-limits": Telling(dialect=_QUERY, tell=reset_limits, read=query.read_reset, method="POST"),
    "/cache/status": Telling(dialect=_QUERY, tell=tell_cache),
    "/cache/clear": Telling(dialect=_QUERY, tell=clear_cache, read=query.read_clearing, method="POST"),
    "/health/detailed": Telling(dialect=_QUERY, tell=tell_health),
    "/health": Telling(dialect=_OPENAI, tell=tell_life, needs_key=False),
    "/health/ready": Telling(dialect=_OPENAI, tell=tell_readiness, status=readiness_status, needs_key=False),
}

PREFIXES: Mapping[str, Door] = {
    "/v1/models/": Telling(dialect=_OPENAI, tell=tell_name, render=openai.render_model),
    "/api/v1/models/": Telling(dialect=_MODELS, tell=tell_model),
    "/v1/responses/": Telling(dialect=_RESPONSES, tell=tell_kept, render=bytes, method="GET, DELETE"),
}

ANTHROPICS: Mapping[str, Door] = {
    "/v1/models": Telling(dialect=_ANTHROPIC, tell=list_names, render=anthropic.render_models),
    "/v1/models/": Telling(dialect=_ANTHROPIC, tell=tell_name, render=anthropic.render_model),
}
"""Where OpenAI's clients and Anthropic's meet, each are told in their own words."""

NO_HEADERS: Headers = {}

LANE_ROOTS: Mapping[str, Dialect] = {
    "/v1/": _OPENAI,
    "/health": _OPENAI,
    "/api/v1/gateway/": _GATEWAY,
    "/api/v1/": _MODELS,
    "/query/": _QUERY,
    "/chat/": _QUERY,
    "/stream/": _QUERY,
    "/embeddings/": _QUERY,
    "/providers/": _QUERY,
    "/rate-limit/": _QUERY,
    "/cache/": _QUERY,
}
"""Below these the lane answers whatever is asked, unknown addresses too; the first that fits counts."""

DJANGO_ROOTS = ("/api/v1/manage",)
"""These are Django's, though they are below a root of the lane."""


def find_door(path: str, headers: Headers = NO_HEADERS) -> tuple[Door | None, str]:
    """The door of a path, and what follows the prefix of one that takes a name."""
    door = DOORS.get(path)
    if door is not None:
        return _worded(path, door, headers), ""
    for prefix, named in PREFIXES.items():
        if path.startswith(prefix) and len(path) > len(prefix):
            return _worded(prefix, named, headers), path[len(prefix) :]
    return None, ""


def _worded(address: str, door: Door, headers: Headers) -> Door:
    return ANTHROPICS.get(address, door) if _is_anthropics(headers) else door


def _is_anthropics(headers: Headers) -> bool:
    """Anthropic's clients name a version."""
    return b"anthropic-version" in headers


def dialect_of(path: str, headers: Headers = NO_HEADERS) -> Dialect | None:
    """Whose words an unknown address is answered in; None where the lane has nothing to say."""
    door = DOORS.get(path)
    if door is not None:
        return door.dialect
    if path.startswith(DJANGO_ROOTS):
        return None
    found = next((dialect for root, dialect in LANE_ROOTS.items() if path.startswith(root)), None)
    return _ANTHROPIC if found is _OPENAI and _is_anthropics(headers) else found
