"""The parts of a gateway that scripts look at."""

from collections.abc import Mapping
from typing import Any, Literal

from gateway.sdk.answers import HealthCheckResult
from gateway.sdk.background import Background
from gateway.sdk.config import GatewayConfig
from gateway.sdk.engine import Engine
from gateway.sdk.traits import BATCH_SECONDS, BATCH_SIZE
from gateway.steps.check import said_problem

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


class Deduplicator:
    """Identical calls of a tenant that are under way at once, made once."""

    def __init__(self, engine: Engine) -> None:
        self._flights = engine.gateway.flights

    @property
    def in_flight(self) -> int:
        """Calls under way that others may join."""
        return len(self._flights)

    @property
    def shared(self) -> int:
        """Calls so far that were answered by another one's answer."""
        return self._flights.joined


class Batcher:
    """Texts of a tenant's calls for vectors, brought together into one call of the provider."""

    def __init__(self, engine: Engine, config: GatewayConfig) -> None:
        self._gatherer = engine.gateway.gatherer
        self.batch_size = config.batch_size or BATCH_SIZE
        self.batch_timeout = config.batch_timeout or BATCH_SECONDS

    @property
    def batches(self) -> int:
        """Calls of providers so far that were made for several."""
        return self._gatherer.journeys

    @property
    def batched(self) -> int:
        """Those that they were made for."""
        return self._gatherer.travelled


class KvCache:
    """What providers keep of prompts' beginnings."""

    def __init__(self, engine: Engine, config: GatewayConfig) -> None:
        self._sums = engine.sums
        self.ttl = config.kv_cache_ttl

    def stats(self, tenant_id: str | None = None) -> dict[str, int]:
        """Tokens of prompts, those among them that a provider had kept, and those that it kept anew."""
        told = self._sums.told(tenant_id)
        return {name: told[name] for name in ("prompt_tokens", "cache_read_tokens", "cache_write_tokens")}


class ValidationManager:
    """What answers are checked for, and how often something was wrong."""

    def __init__(self, engine: Engine) -> None:
        self._checker = engine.gateway.upstream.checker
        self._checks = engine.tenants.policy.checks

    @property
    def level(self) -> str:
        """`basic`, `standard` or `strict`."""
        return self._checks.level

    @property
    def stats(self) -> dict[str, int]:
        """Answers that were checked, that were right the second time, and that were not given."""
        checker = self._checker
        return {"checked": checker.checked, "repaired": checker.repaired, "refused": checker.refused}

    def problem_of(self, text: str, response_format: Mapping[str, Any] | None = None) -> str | None:
        """What would be wrong with a text as an answer; None if nothing is."""
        problem = said_problem(text, response_format, self._checks)
        return None if problem is None else problem.told


def health_of(
    engine: Engine, *, closed: bool, limited: bool, cache: Status | Literal["off"]
) -> HealthCheckResult:
    """What can be told without asking a provider, which would cost."""
    states = engine.breakers()
    ill = sorted(name for name, state in states.items() if state != "closed")
    models, keyless = engine.models.names, engine.models.keyless
    listed = {name: missing for name, missing in keyless.items() if engine.models.is_listed}
    details: Mapping[str, Any] = {
        "router": {"status": _router(models, listed, closed), "models": list(models), "missing_keys": listed},
        "circuit_breaker": {"status": _breakers(states, ill), "states": states},
        "cache": {"status": cache},
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
