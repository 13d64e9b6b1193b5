"""The engine as a configuration has it, on ports in memory."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from math import inf
from typing import Any
from weakref import WeakSet

from gateway.accounts import Account
from gateway.breaker import Breaker
from gateway.caching.memory import MemoryCache
from gateway.call import Ask, Call, Origin, Outcome
from gateway.catalog import Deployment
from gateway.errors import NoProvider
from gateway.ids import uuid7
from gateway.memory import GlassVault, LocalTransport, MemoryBooks, MemorySpill, NoCache, SystemClock
from gateway.pipeline import Gateway
from gateway.ports import Cache, Transport
from gateway.retry import Effort
from gateway.sdk.background import end_tasks
from gateway.sdk.config import CircuitBreakerConfig, GatewayConfig
from gateway.sdk.models import Models
from gateway.sdk.stream import TextStream
from gateway.sdk.sums import SummingBooks, Sums
from gateway.sdk.tenants import NOBODY, Tenants
from gateway.transport import HttpTransport
from gateway.wires import echo

_LONGEST_PAUSE = 8.0
_NEVER = 1 << 62


class Engine:
    """What lives on the loop of a gateway in a script."""

    def __init__(self, config: GatewayConfig, environ: Mapping[str, str] = os.environ) -> None:
        clock = SystemClock()
        self.models = Models(config, environ)
        self.tenants = Tenants(config)
        self.sums = Sums()
        self.cache = _cache(config, clock)
        self.books = SummingBooks(MemoryBooks(clock), self.sums)
        self.gateway = Gateway(
            books=self.books,
            spill=MemorySpill(),
            vault=config.vault or GlassVault(),
            directory=self.tenants,
            catalog=self.models,
            cache=self.cache or NoCache(),
            clock=clock,
            transport_for=self._transport_for,
            effort=Effort(
                attempts=config.max_retries,
                first_wait=config.retry_delay,
                longest_wait=max(_LONGEST_PAUSE, config.retry_delay),
            ),
            make_breaker=lambda: _breaker(config),
        )
        self._local = LocalTransport(echo.answer)
        self._http: HttpTransport | None = None
        self._streams: WeakSet[TextStream] = WeakSet()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connections, and what runs beside the calls."""
        self._http = HttpTransport()
        tending = asyncio.create_task(self.gateway.tending().run())
        try:
            yield
        finally:
            await end_tasks([tending, *(stream.task for stream in self._streams)])
            await self.gateway.teller.drain()
            await self.gateway.recall.drain()
            await self._http.close()
            await self._close_cache()

    async def run(self, ask: Ask, tenant: str, seconds: float | None) -> Outcome:
        """Make a call."""
        return await self.gateway.run(self._call(ask, tenant, seconds))

    async def stream(self, ask: Ask, tenant: str, seconds: float | None) -> TextStream:
        """Prepare a call whose text is taken piece by piece."""
        stream = TextStream(self.gateway, self._call(ask, tenant, seconds))
        self._streams.add(stream)
        return stream

    async def standing(self, tenant: str) -> list[dict[str, Any]]:
        """How far the limits of a tenant are used."""
        principal = self.tenants.principal(tenant or NOBODY)
        stands = await self.books.look(principal.tenant_id, principal.accounts)
        return [_told(account, one.used) for account, one in zip(principal.accounts, stands, strict=True)]

    async def cache_is_away(self) -> bool:
        """Whether answers cannot be kept now."""
        if self.cache is None:
            return False
        return (await self.cache.status(self.tenants.principal(NOBODY).tenant_id)).is_away

    async def _close_cache(self) -> None:
        """One of the caller's that has connections has them on this loop, and they end with it."""
        close = getattr(self.cache, "close", None)
        if close is not None:
            await close()

    def breakers(self) -> dict[str, str]:
        """The state of every deployment's breaker that was called so far."""
        return dict[str, str](self.gateway.board.states())

    def _call(self, ask: Ask, tenant: str, seconds: float | None) -> Call:
        self.models.demand_key(ask.model, ask.kind)
        identifier = uuid7()
        origin = Origin(tenant=tenant, timeout=seconds, request_id=str(identifier))
        return Call(id=identifier, ask=ask, origin=origin, started=self.gateway.clock.monotonic())

    def _transport_for(self, deployment: Deployment) -> Transport:
        if deployment.provider.wire == "echo":
            return self._local
        if self._http is None:
            raise NoProvider
        return self._http


def _cache(config: GatewayConfig, clock: SystemClock) -> Cache | None:
    """The caller's own, or one made by it from the address that is told; else memory."""
    if not config.enable_caching:
        return None
    told = config.cache_config
    given: Cache | None = (
        config.cache(told.dragonfly_url) if callable(config.cache) and told else config.cache
    )
    return given or MemoryCache(clock)


def _told(account: Account, used: int) -> dict[str, Any]:
    return {
        "unit": account.unit,
        "window": account.window,
        "limit": account.limit,
        "used": used,
        "remaining": max(0, account.limit - used),
    }


def _breaker(config: GatewayConfig) -> Breaker:
    if not config.enable_circuit_breaker:
        return Breaker(threshold=_NEVER, rest=inf)
    told = config.circuit_breaker_config or CircuitBreakerConfig()
    return Breaker(threshold=told.failure_threshold, rest=told.recovery_timeout)
