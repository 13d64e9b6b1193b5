"""The parts of a gateway that scripts look at."""

from collections.abc import Mapping
from typing import Any, Literal

from gateway.sdk.answers import HealthCheckResult
from gateway.sdk.background import Background
from gateway.sdk.engine import Engine

Status = Literal["healthy", "degraded", "unhealthy"]
_BADNESS = ("closed", "half_open", "open")


class CircuitBreaker:
    """The breakers of all deployments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def states(self) -> dict[str, str]:
        """By deployment: `closed`, `open` or `half_open`; one that was never called is not in it."""
        return self._engine.breakers()

    @property
    def state(self) -> str:
        """The worst of them."""
        return max(self.states.values(), key=_BADNESS.index, default="closed")


class RateLimiters:
    """The limits of all tenants, each looked at by its id."""

    def __init__(self, engine: Engine, background: Background) -> None:
        self._engine = engine
        self._background = background

    def __getitem__(self, tenant_id: str) -> list[dict[str, Any]]:
        """How far each limit of a tenant is used."""
        return self._background.wait(self._engine.standing, tenant_id)


def health_of(engine: Engine, *, closed: bool, limited: bool) -> HealthCheckResult:
    """What can be told without asking a provider, which would cost."""
    states = engine.breakers()
    ill = sorted(name for name, state in states.items() if state != "closed")
    models, keyless = engine.models.names, engine.models.keyless
    listed = {name: missing for name, missing in keyless.items() if engine.models.is_listed}
    details: Mapping[str, Any] = {
        "router": {"status": _router(models, listed, closed), "models": list(models), "missing_keys": listed},
        "circuit_breaker": {"status": _breakers(states, ill), "states": states},
        "cache": {"status": "off"},
        "rate_limiter": {"status": "healthy" if limited else "off"},
    }
    found = {part["status"] for part in details.values()}
    status: Status = "unhealthy" if "unhealthy" in found else "degraded" if "degraded" in found else "healthy"
    return HealthCheckResult(status=status, details=dict(details))


def _router(models: tuple[str, ...], missing: Mapping[str, str], closed: bool) -> Status:
    if closed or not models:
        return "unhealthy"
    return "degraded" if missing else "healthy"


def _breakers(states: Mapping[str, str], ill: list[str]) -> Status:
    if not ill:
        return "healthy"
    return "unhealthy" if len(ill) == len(states) else "degraded"
