"""Who calls in a script: whoever it says, each with the limits that the configuration has for all."""

from collections.abc import Iterator
from functools import lru_cache
from math import ceil
from uuid import UUID, uuid5

from gateway.accounts import Account, Unit
from gateway.call import Origin
from gateway.principal import Checks, EndUser, Policy, Principal
from gateway.sdk.config import GatewayConfig, RateLimitConfig
from gateway.windows import Window

NOBODY = "default"
"""Calls that name no tenant are of this one."""

_SPACE = UUID("6f4bd2a4-9a0e-5a39-8a27-0c1d52f3c1be")
_REMEMBERED = 4096
_LIMITS: tuple[tuple[str, Unit, Window], ...] = (
    ("requests_per_minute", "requests", "minute"),
    ("requests_per_hour", "requests", "hour"),
    ("requests_per_day", "requests", "day"),
    ("tokens_per_minute", "tokens", "minute"),
    ("tokens_per_hour", "tokens", "hour"),
    ("tokens_per_day", "tokens", "day"),
    ("concurrent_requests", "concurrency", "none"),
)


class Tenants:
    """Principals by the tenant's name; nobody is asked for a key in one's own process."""

    def __init__(self, config: GatewayConfig) -> None:
        self.limits = config.rate_limit_config if config.enable_rate_limiting else None
        self.policy = policy_of(config)
        self.principal = lru_cache(_REMEMBERED)(self._principal)

    async def identify(self, origin: Origin) -> Principal:
        """Who calls."""
        return self.principal(origin.tenant or NOBODY)

    async def catch_up(self, revision: int) -> None:
        """Nothing changes here."""

    async def end_user(self, principal: Principal, name: str) -> EndUser:
        """Someone with no limits of their own."""
        return EndUser(id=uuid5(principal.tenant_id, name))

    def _principal(self, name: str) -> Principal:
        identifier = uuid5(_SPACE, name)
        accounts = _accounts(identifier, name, self.limits) if self.limits else ()
        return Principal(tenant_id=identifier, tenant=name, accounts=tuple(accounts), policy=self.policy)


def policy_of(config: GatewayConfig) -> Policy:
    """What holds for every tenant."""
    level = config.validation_level or "standard"
    return Policy(
        cache="all" if config.enable_caching else "off",
        cache_seconds=ceil(config.cache_ttl),
        shares=config.enable_request_deduplication,
        prompt_cache="auto" if config.enable_kv_cache else "off",
        prompt_cache_seconds=ceil(config.kv_cache_ttl),
        checks=Checks(
            level=level if config.enable_validation else "off",
            forbidden=tuple(config.forbidden_words),
            repairs=config.validation_repair,
        ),
    )


def _accounts(tenant_id: UUID, name: str, limits: RateLimitConfig) -> Iterator[Account]:
    for field, unit, window in _LIMITS:
        limit = getattr(limits, field)
        if limit is not None:
            identifier = f"{tenant_id.hex}:{unit}:{window}"
            yield Account(id=identifier, scope="tenant", name=name, unit=unit, limit=limit, window=window)
