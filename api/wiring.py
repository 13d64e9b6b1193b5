"""The composition root: builds the engine from the apps, once per process."""

import asyncio
import gc
import logging

from django.conf import settings
from django.db import connection

from api.books import make_bookkeeping
from api.caching import Caching
from api.cors import Cors
from api.hosts import Hosts
from api.lane import Lane
from api.readiness import Readiness
from api.reading import Reader
from api.socket import Socket
from api.telling.desk import Desk
from gateway.breaker import Breaker
from gateway.catalog import Deployment
from gateway.memory import LocalTransport, SystemClock
from gateway.pipeline import Gateway
from gateway.ports import Clock, Transport, Witnesses
from gateway.reasons import OneProcess, Recent
from gateway.responses.keeping import Keeper
from gateway.transport import HttpTransport
from gateway.turnstile import MemoryTurnstile
from gateway.wires import echo
from gateway.wires.litellm import fetch_litellm, needs_litellm
from providers.catalog import DatabaseCatalog
from providers.signs import DatabaseSigns
from providers.turns.redis import RedisTurnstile
from tenants.conninfo import conninfo
from tenants.directory import DatabaseDirectory
from tenants.notices import Notices
from tenants.vault import RingVault
from tenants.watch import ANSWERS_WITHIN, RevisionWatch
from usage.books.spill import FileSpill
from usage.conversations import DatabaseConversations
from usage.ledger import entries_known
from usage.mending import Mending
from usage.witnesses import RedisWitnesses

SERVER_ANSWERS_WITHIN = 2.0
"""Seconds that PostgreSQL has for a question; what is known is served without it."""
_NEVER = 1 << 62
COLLECT_AFTER = (10_000, 20, 20)
"""Calls leave few cycles behind: looking for them every 700 objects took a fiftieth of the CPU."""

logger = logging.getLogger(__name__)


class Wiring:
    """Everything that one web process runs; started and stopped with it."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.bookkeeping = make_bookkeeping(clock)
        answers_within = ANSWERS_WITHIN if self.bookkeeping.in_database else SERVER_ANSWERS_WITHIN
        self.catalog = DatabaseCatalog(report=logger.warning, stand_in=settings.GATEWAY_STAND_IN_PROVIDER)
        self.watch = RevisionWatch(clock=clock, refresh=self.catalog.refresh, answers_within=answers_within)
        self.directory = DatabaseDirectory(
            clock=clock,
            revision=lambda: self.watch.number,
            away=lambda: self.watch.away,
            reach=self.watch.reach,
            answers_within=answers_within,
        )
        self.readiness = Readiness(books=self.bookkeeping, watch=self.watch)
        self.vault = RingVault()
        self.keeper = Keeper(DatabaseConversations(clock=clock), self.vault)
        self.caching = Caching(clock, self.vault)
        self.turnstile = _turnstile(clock)
        self.gateway = self._gateway(clock)
        self.witnesses = _witnesses(clock, self.gateway.recent)
        self.mending = Mending(post=self.bookkeeping.books.post, clock=clock, away=lambda: self.watch.away)
        self.lane = self._lane()
        self.socket = self._socket()
        self._local = LocalTransport(echo.answer)
        self._http: HttpTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def _gateway(self, clock: Clock) -> Gateway:
        gateway = Gateway(
            books=self.bookkeeping.books,
            ledger=self.bookkeeping.ledger,
            keeper=self.keeper,
            spill=FileSpill(settings.GATEWAY_HOME / "spill", in_ledger=entries_known),
            vault=self.vault,
            directory=self.directory,
            catalog=self.catalog,
            cache=self.caching.cache,
            meanings=self.caching.meanings,
            clock=clock,
            transport_for=self._transport_for,
            lease_seconds=settings.GATEWAY_LEASE_SECONDS,
            make_breaker=make_breaker,
            signs=DatabaseSigns() if settings.CIRCUIT_BREAKER_ENABLED else None,
            turnstile=self.turnstile,
        )
        gateway.recall.answer_at_most = settings.GATEWAY_CACHE_ANSWER_BYTES
        return gateway

    async def start(self) -> None:
        """Open what the process holds, and begin what runs beside the calls."""
        self._http = HttpTransport()
        await self.readiness.look()
        if self.readiness.migrated:
            await self.bookkeeping.open()
            await self.watch.look()
            if needs_litellm(self.catalog.snapshot()):
                await fetch_litellm()
        self._tasks = [
            asyncio.create_task(self.watch.run()),
            asyncio.create_task(self.gateway.board.run()),
            asyncio.create_task(self.turnstile.tend()),
            asyncio.create_task(self.gateway.tending().run()),
            asyncio.create_task(self.bookkeeping.tend()),
            asyncio.create_task(self.mending.run()),
            asyncio.create_task(self._listen()),
            asyncio.create_task(self.witnesses.listen()),
        ]
        gc.collect()
        gc.freeze()  # what is loaded by now stays: the collector need not look at it again and again
        gc.set_threshold(*COLLECT_AFTER)

    async def _listen(self) -> None:
        """Hear of a new configuration at once, where the database can tell."""
        if connection.vendor == "postgresql":
            notices = Notices(conninfo=conninfo(), clock=SystemClock(), look=self._look)
            await notices.run()

    async def _look(self) -> None:
        """Take up what was written: the configuration, and how deployments are."""
        await asyncio.gather(self.watch.look_again(), self.gateway.board.look())

    async def stop(self) -> None:
        """Let orders reach the books, then close everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.gateway.teller.drain()
        await self.gateway.recall.drain()
        await self.gateway.upstream.entrance.drain()
        await self.turnstile.close()
        await self.witnesses.close()
        await self.caching.close()
        await self.bookkeeping.close()
        if self._http is not None:
            await self._http.close()

    def _lane(self) -> Lane:
        reader = Reader(
            directory=self.directory,
            desk=Desk(
                keeper=self.keeper,
                cache=self.caching.cache,
                vault=self.vault,
                catalog=self.catalog,
                books=self.bookkeeping.books,
                clock=self.gateway.clock,
                board=self.gateway.board,
                health=self.readiness.health,
                service=settings.SERVICE_NAME,
                version=settings.VERSION,
                started=self.gateway.clock.monotonic(),
            ),
        )
        return Lane(
            gateway=self.gateway,
            streams=settings.STREAMING_ENABLED,
            reader=reader,
            hosts=Hosts(settings.ALLOWED_HOSTS),
            cors=Cors(settings.GATEWAY_CORS_ORIGINS),
            body_limit=settings.GATEWAY_MAX_BODY_BYTES,
        )

    def _socket(self) -> Socket:
        return Socket(
            gateway=self.gateway,
            hosts=Hosts(settings.ALLOWED_HOSTS),
            streams=settings.STREAMING_ENABLED,
            idle_seconds=settings.GATEWAY_SOCKET_IDLE_SECONDS,
        )

    def _transport_for(self, deployment: Deployment) -> Transport:
        if deployment.provider.wire == "echo" or self._http is None:
            return self._local
        return self._http


def make_breaker() -> Breaker:
    """A breaker as the settings say; one that never opens by itself where they want none."""
    enabled = settings.CIRCUIT_BREAKER_ENABLED
    threshold = settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD if enabled else _NEVER
    return Breaker(threshold=threshold, rest=settings.CIRCUIT_BREAKER_TIMEOUT)


def _turnstile(clock: Clock) -> MemoryTurnstile | RedisTurnstile:
    """Whoever shares books shares the limits of providers too."""
    return RedisTurnstile(settings.REDIS_URL, clock=clock) if settings.REDIS_URL else MemoryTurnstile(clock)


def _witnesses(clock: Clock, recent: Recent) -> Witnesses:
    """Whoever shares books can ask the others why a call went as it did."""
    if settings.REDIS_URL:
        return RedisWitnesses(settings.REDIS_URL, recent=recent, clock=clock)
    return OneProcess(recent)
