"""A gateway of several processes on servers of its own, where any part may be troubled by itself."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.gateway_server import GatewayServer, WebProcess, configured_gateway, is_ready
from tests.support.own_servers import Fsync, OwnPostgresql, durable_redis, own_postgresql
from tests.support.processes import frozen
from tests.support.redis_server import OwnRedis
from tests.support.waiting import eventually

REDIS = "redis"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Turns:
    """Of each kind of part, one is troubled at a time."""

    web: asyncio.Lock = field(default_factory=asyncio.Lock)
    drain: asyncio.Lock = field(default_factory=asyncio.Lock)
    redis: asyncio.Lock = field(default_factory=asyncio.Lock)
    postgresql: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Fleet:
    """The processes, and when which of them were killed or said nothing."""

    gateway: GatewayServer
    redis: OwnRedis
    postgresql: OwnPostgresql
    turns: Turns = field(default_factory=Turns)
    _deaths: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    _silences: defaultdict[int | str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @property
    def lease_seconds(self) -> float:
        """How long a process may say nothing before others take its calls for lost."""
        return float(self.gateway.environment["GATEWAY_LEASE_SECONDS"])

    async def kill(self, web: WebProcess) -> None:
        """End a web process on the spot."""
        await asyncio.to_thread(web.kill)
        self._deaths[web.port].append(time.monotonic())

    async def start(self, web: WebProcess) -> None:
        """Start a web process as often as it takes: one that finds no database ends by itself."""
        until = time.monotonic() + _START_SECONDS
        while not await asyncio.to_thread(_is_up, web):
            assert time.monotonic() < until, f"it did not get ready:\n{web.log[-3000:]}"

    async def freeze(self, web: WebProcess, seconds: float) -> None:
        """Let a web process stand still, and go on whatever becomes of us; it serves when this returns."""
        with self.silence(web.port), frozen(web.pid):
            await asyncio.sleep(seconds)
        await asyncio.to_thread(web.await_ready)

    @contextmanager
    def silence(self, part: int | str) -> Iterator[None]:
        """Note that a part says nothing meanwhile: a web process, by its port, or `REDIS`."""
        since = time.monotonic()
        try:
            yield
        finally:
            self._silences[part].append((since, time.monotonic()))

    def was_silent(self, part: int | str, since: float, until: float) -> bool:
        """Whether a part said nothing at any moment of a certain time."""
        return any(began <= until and since <= ended for began, ended in self._silences[part])

    def was_killed(self, port: int, since: float, until: float) -> bool:
        """Whether a process on a port was killed in a certain time."""
        return any(since <= death <= until for death in self._deaths[port])


@contextmanager
def own_fleet(configuration: str, *, fsync: Fsync = "everysec", **options: Any) -> Iterator[Fleet]:
    """All of it running; nothing of it is left in the end, whatever was done to it."""
    with (
        own_postgresql() as postgresql,
        durable_redis(fsync) as redis,
        configured_gateway(configuration, redis=redis.url, database=postgresql.url, **options) as gateway,
    ):
        try:
            gateway.start()
            yield Fleet(gateway, redis, postgresql)
        finally:
            gateway.kill()


def _is_up(web: WebProcess) -> bool:
    """Start it, and see it either ready or ended."""
    web.start()
    eventually(lambda: is_ready(web.port) or not web.runs, within=_START_SECONDS)
    return web.runs
