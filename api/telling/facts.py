"""What is told, before a dialect puts it into its own words."""

from typing import Any, Literal

from msgspec import Struct

Status = Literal["available", "degraded", "unavailable"]
Service = Literal["healthy", "degraded", "unhealthy"]


class ProviderFact(Struct, frozen=True, kw_only=True):
    """A provider that serves whoever asks."""

    name: str
    type: Literal["local", "cloud"]
    security_level: str
    status: Status
    default_model: str
    models: tuple[str, ...]
    cost_per_token: float | None
    """In dollars, of its default model's answers; None if that has no price."""


class ModelFact(Struct, frozen=True, kw_only=True):
    """A model that whoever asks may use."""

    name: str
    provider: str
    type: str
    status: Status
    capabilities: tuple[str, ...]
    context_window: int | None
    aliases: tuple[str, ...]


class LimitFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A limit or budget, and how far it is used; moments are seconds since the epoch."""

    scope: str
    name: str
    unit: Literal["requests", "tokens", "concurrency", "usd"]
    window: str
    limit: float
    used: float
    remaining: float
    reset_at: float | None
    model: str = ""
    """It counts this model's calls alone."""


class LimitsFact(Struct, frozen=True, kw_only=True):
    """Every limit of whoever asks."""

    limits: tuple[LimitFact, ...]
    cooldown_until: float | None
    """Until when calls are refused whatever is left."""
    user_id: str | None = None


class LifeFact(Struct, frozen=True, kw_only=True):
    """That the process answers."""

    status: Service
    service: str
    version: str


class CacheFact(Struct, frozen=True, kw_only=True):
    """What is kept of a tenant's answers."""

    status: Literal["healthy", "unavailable", "disabled"]
    total_entries: int
    total_size_mb: float
    hits: int
    misses: int
    hit_rate: float
    saved_usd: float


class Clearing(Struct, frozen=True, kw_only=True):
    """Which answers are meant: those of a name like this, of this user, or all."""

    pattern: str | None = None
    user_id: str | None = None


class HealthFact(Struct, frozen=True, kw_only=True):
    """How the gateway is."""

    service: Service
    status: Service
    version: str
    uptime: float
    providers: dict[str, Any]
    cache: CacheFact
    rate_limiter: dict[str, Any]
    timestamp: float
    wrong: dict[str, str]
