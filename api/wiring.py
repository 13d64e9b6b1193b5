"""The composition root: builds the engine from the apps, once per process."""

import asyncio
import gc
import logging
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from api.hosts import Hosts
from api.lane import Lane
from api.readiness import Readiness
from api.reading import Reader
from gateway.catalog import Deployment
from gateway.memory import LocalTransport, NoCache, SystemClock
from gateway.pipeline import Gateway
from gateway.ports import Transport
from gateway.transport import HttpTransport
from gateway.wires import echo
from providers.catalog import DatabaseCatalog
from tenants.directory import DatabaseDirectory
from tenants.watch import RevisionWatch
from usage.books.sqlite import SqliteBooks

SERVICE = "llm-gateway"
COLLECT_AFTER = (10_000, 20, 20)
"""Calls leave few cycles behind: looking for them every 700 objects took a fiftieth of the CPU."""

logger = logging.getLogger(__name__)


class Wiring:
    """Everything that one web process runs; started and stopped with it."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.books = SqliteBooks(
            _embedded_database(),
            clock=clock,
            lease_ms=settings.GATEWAY_LEASE_SECONDS * 1000,
            synchronous=settings.GATEWAY_SQLITE_SYNCHRONOUS,
        )
        self.catalog = DatabaseCatalog(report=logger.warning)
        self.watch = RevisionWatch(clock=clock, refresh=self.catalog.refresh)
        self.directory = DatabaseDirectory(clock=clock, revision=lambda: self.watch.number)
        self.readiness = Readiness(books=self.books, watch=self.watch)
        self.gateway = Gateway(
            books=self.books,
            directory=self.directory,
            catalog=self.catalog,
            cache=NoCache(),
            clock=clock,
            transport_for=self._transport_for,
            lease_seconds=settings.GATEWAY_LEASE_SECONDS,
        )
        self.lane = self._lane()
        self._local = LocalTransport(echo.answer)
        self._http: HttpTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open what the process holds, and begin what runs beside the calls."""
        self._http = HttpTransport()
        await self.readiness.look()
        if self.readiness.migrated:
            await self.books.open()
            await self.watch.look()
        self._tasks = [asyncio.create_task(self.watch.run()), asyncio.create_task(self.gateway.tend())]
        gc.collect()
        gc.freeze()  # what is loaded by now stays: the collector need not look at it again and again
        gc.set_threshold(*COLLECT_AFTER)

    async def stop(self) -> None:
        """Let orders reach the books, then close everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.gateway.teller.drain()
        await self.books.close()
        if self._http is not None:
            await self._http.close()

    def _lane(self) -> Lane:
        reader = Reader(
            directory=self.directory,
            catalog=self.catalog,
            ready=self.readiness.wrong,
            service=SERVICE,
            version=settings.VERSION,
        )
        return Lane(
            gateway=self.gateway,
            reader=reader,
            hosts=Hosts(settings.ALLOWED_HOSTS),
            body_limit=settings.GATEWAY_MAX_BODY_BYTES,
        )

    def _transport_for(self, deployment: Deployment) -> Transport:
        if deployment.provider.wire == "echo" or self._http is None:
            return self._local
        return self._http


def _embedded_database() -> Path:
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        raise ImproperlyConfigured(
            "The embedded books need the embedded database: leave DATABASE_URL empty, or name a SQLite file."
        )
    return Path(database["NAME"])
