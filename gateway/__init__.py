"""The engine of the gateway: a library of its own, without Django, Celery, Redis or SQL.

The names below are the gateway in a plain script. They are loaded when they are first asked for: who serves
the engine over HTTP needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.sdk.answers import EmbedResponse, GenerateResponse, HealthCheckResult
    from gateway.sdk.config import CacheConfig, CircuitBreakerConfig, GatewayConfig, RateLimitConfig
    from gateway.sdk.gateway import LiteLLMGateway

__all__ = (
    "CacheConfig",
    "CircuitBreakerConfig",
    "EmbedResponse",
    "GatewayConfig",
    "GenerateResponse",
    "HealthCheckResult",
    "LiteLLMGateway",
    "RateLimitConfig",
)

_PLACES = {
    "CacheConfig": "config",
    "CircuitBreakerConfig": "config",
    "EmbedResponse": "answers",
    "GatewayConfig": "config",
    "GenerateResponse": "answers",
    "HealthCheckResult": "answers",
    "LiteLLMGateway": "gateway",
    "RateLimitConfig": "config",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"gateway.sdk.{_PLACES[name]}"), name)
