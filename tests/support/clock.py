"""A clock that stands still until a test turns it."""

import asyncio
from heapq import heappop, heappush
from itertools import count

import pytest

BEGIN = 1_767_225_600.0
"""2026-01-01, midnight in UTC."""


class FakeClock:
    """Implements `gateway.ports.Clock`; whoever sleeps by it wakes when it is turned far enough."""

    def __init__(self, now: float = BEGIN) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self.slept: list[float] = []
        """How long each sleep was asked to be."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been turned so far."""
        self.slept.append(seconds)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._monotonic + seconds, next(self._numbers), future))
        await future

    def advance(self, seconds: float) -> None:
        """Let time pass at once, and wake whose time has come."""
        self._now += seconds
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            future = heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    async def turn(self, seconds: float) -> None:
        """Let time pass from sleeper to sleeper; each has its turn at its own moment."""
        end = self._monotonic + seconds
        await idle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.advance(self._sleepers[0][0] - self._monotonic)
            await idle()
        self.advance(end - self._monotonic)
        await idle()


class RestingClock(FakeClock):
    """Tells when somebody sleeps by it."""

    def __init__(self) -> None:
        super().__init__()
        self.rests = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.rests.set()
        await super().sleep(seconds)


async def idle(turns: int = 25) -> None:
    """Let every task go on until it waits for something."""
    for _ in range(turns):
        await asyncio.sleep(0)


def rule_loop(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the running loop's own timers go by the clock too."""
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.monotonic)
