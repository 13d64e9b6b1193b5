"""Which books a process keeps: those in the database file, or those on Redis that several processes share."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.errors import BooksAway
from gateway.ports import Books, Clock, Ledger
from usage.books.ledger_sums import ledger_sums
from usage.books.redis import RedisBooks
from usage.books.shards import SHARDS
from usage.books.sqlite import SqliteBooks
from usage.commits import Commits
from usage.drain.failures import Away
from usage.drain.lag import read_backlog
from usage.ledger import entries_known, ledger_is_blank

TEND_EVERY = 1.0
LOOKED_WITHIN = 0.5
"""Seconds for a look at Redis: whoever asks whether a process is ready may wait for one second only."""
_NO_LEDGER = (
    "REDIS_URL is set, so the books are on Redis, and their ledger needs PostgreSQL: set "
    "DATABASE_URL=postgresql://user:password@host:port/name, or leave REDIS_URL empty to run embedded."
)
_NO_BOOKS = (
    "DATABASE_URL names PostgreSQL, which several processes may share, and their books need Redis: set "
    "REDIS_URL=redis://host:port/0, or leave DATABASE_URL empty to run embedded."
)

logger = logging.getLogger(__name__)


class BooksState(Struct, frozen=True, kw_only=True):
    """How the books are, as readiness tells it."""

    wrong: dict[str, str] = {}
    degraded: dict[str, str] = {}
    facts: dict[str, Any] = {}


class Bookkeeping(Protocol):
    """Books, with what they need beside the calls."""

    in_database: bool
    """Whether no call can be made while the database is away."""

    @property
    def books(self) -> Books:
        """Where orders go."""

    @property
    def ledger(self) -> Ledger | None:
        """What answers wait for beside the books, if they do."""

    async def open(self) -> None:
        """Take orders from now on."""

    async def tend(self) -> None:
        """Do what is due, until cancelled."""

    async def state(self) -> BooksState:
        """What is not right, and what there is to know."""

    async def close(self) -> None:
        """Let go of everything, after what is under way."""


class EmbeddedBookkeeping:
    """The books of one process, in the database file."""

    in_database = True
    ledger = None

    def __init__(self, clock: Clock) -> None:
        self.books = SqliteBooks(
            Path(settings.DATABASES["default"]["NAME"]),
            clock=clock,
            lease_ms=settings.GATEWAY_LEASE_SECONDS * 1000,
            synchronous=settings.GATEWAY_SQLITE_SYNCHRONOUS,
        )

    async def open(self) -> None:
        """Take the file over."""
        await self.books.open()

    async def tend(self) -> None:
        """They need nothing."""

    async def state(self) -> BooksState:
        """Whether they are open."""
        return BooksState(wrong={} if self.books.is_open else {"books": "are not open"})

    async def close(self) -> None:
        """Let go of the file."""
        await self.books.close()


class DistributedBookkeeping:
    """The books of several processes, on Redis, with their journal on its way to the ledger."""

    in_database = False

    def __init__(self, clock: Clock) -> None:
        self.books = RedisBooks(
            settings.REDIS_URL,
            sums=ledger_sums,
            is_blank=ledger_is_blank,
            in_ledger=entries_known,
            lease_ms=settings.GATEWAY_LEASE_SECONDS * 1000,
            replicas=settings.GATEWAY_REDIS_REPLICAS,
            reply_timeout=settings.GATEWAY_BOOKS_TIMEOUT_MS / 1000,
            backlog_at_most=max(1, settings.GATEWAY_BACKLOG_AT_MOST // SHARDS),
        )
        self._clock = clock
        self._redis: Redis = Redis.from_url(
            settings.REDIS_URL,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=LOOKED_WITHIN,
            socket_connect_timeout=LOOKED_WITHIN,
        )
        self.ledger = Commits(self._redis) if settings.GATEWAY_LEDGER_COMMIT == "DATABASE" else None

    async def open(self) -> None:
        """Take orders; Redis may come later."""
        await self.books.open()

    async def tend(self) -> None:
        """Notice what Redis has lost, and bring it back."""
        while True:
            await self._clock.sleep(TEND_EVERY)
            try:
                await self.books.tend()
            except BooksAway:
                continue  # readiness says so
            except Exception:  # whatever it was: without this loop a loss of Redis would go unnoticed
                logger.exception("the books on Redis could not be tended; it is tried again")

    async def state(self) -> BooksState:
        """What Redis says of itself and of its journal."""
        if not self.books.is_open:
            return BooksState(wrong={"books": "are not open"})
        try:
            async with asyncio.timeout(LOOKED_WITHIN):
                condition = await self.books.condition()
                backlog = await read_backlog(self._redis)
        except (BooksAway, Away, TimeoutError):
            return BooksState(wrong={"redis": "cannot be reached"})
        degraded = {"redis": "; ".join(condition.doubtful)} if condition.doubtful else {}
        if backlog.poisoned:
            degraded["journal"] = f"{backlog.poisoned} lines could not be rows and wait for a person"
        return BooksState(
            wrong={"redis": "; ".join(condition.wrong)} if condition.wrong else {},
            degraded=degraded,
            facts={"journal": {"entries": backlog.length, "lag_seconds": round(backlog.oldest_seconds, 3)}},
        )

    async def close(self) -> None:
        """Hang up."""
        await self.books.close()
        await self._redis.aclose()


def is_distributed() -> bool:
    """Whether several processes may serve together; one server named without the other is refused."""
    has_ledger: bool = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    if has_ledger and not settings.REDIS_URL:
        raise ImproperlyConfigured(_NO_BOOKS)
    if settings.REDIS_URL and not has_ledger:
        raise ImproperlyConfigured(_NO_LEDGER)
    return has_ledger


def make_bookkeeping(clock: Clock) -> Bookkeeping:
    """The books that the settings name."""
    return DistributedBookkeeping(clock) if is_distributed() else EmbeddedBookkeeping(clock)
