"""Callers that come again and again, each with a call of its own at a time, and a process full of them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from uuid import UUID

from gateway.memory import SystemClock
from gateway.turns import Quota
from providers.turns.redis import RedisTurnstile
from tests.support.turns import WITHIN, make_turn

TURN_SECONDS = 0.02


class Inside:
    """How many have a place, all loops together."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


class Crowd:
    """So many callers of a tenant at one turnstile."""

    def __init__(
        self, turnstile: RedisTurnstile, quota: Quota, tenant: UUID, *, callers: int, inside: Inside
    ) -> None:
        self.waits: list[float] = []
        """How long each call waited by the wall's clock; those that were broken off too."""
        self.turns = 0
        """How many were over."""
        self._turnstile = turnstile
        self._quota = quota
        self._tenant = tenant
        self._callers = callers
        self._inside = inside

    async def call(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._callers):
                group.create_task(self._call())

    async def _call(self) -> None:
        while True:
            turn, began = make_turn(self._tenant, tokens=2_000), perf_counter()
            try:
                await self._turnstile.enter(self._quota, turn, wait=60, most_waiting=10_000)
            finally:
                self.waits.append(perf_counter() - began)
            try:
                with self._inside:
                    await SystemClock().sleep(TURN_SECONDS)
            finally:
                await self._turnstile.leave(self._quota, turn, tokens=2_000)
            self.turns += 1


@contextmanager
def noise(url: str, quota: Quota, tenant: UUID, *, callers: int, inside: Inside) -> Iterator[Crowd]:
    """A crowd with a loop and a turnstile of its own, as another process has."""
    turnstile = RedisTurnstile(url)
    crowd = Crowd(turnstile, quota, tenant, callers=callers, inside=inside)
    begun, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def shout() -> None:
        tasks = [asyncio.ensure_future(turnstile.tend()), asyncio.ensure_future(crowd.call())]
        begun.set()
        await over.wait()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await turnstile.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(shout(),))
    thread.start()
    try:
        assert begun.wait(WITHIN)
        yield crowd
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
