"""One timer for everything that waits, instead of a timer for each."""

import asyncio
from typing import Protocol

from gateway.loops import LoopOf

RESOLUTION = 0.05


class Ticking(Protocol):
    """Something that is looked at now and then."""

    def tick(self, now: float) -> None:
        """Look at the time, which is the loop's."""


class Ticker:
    """Looks at all of its members twenty times a second, and sleeps while it has none."""

    __slots__ = ("_handle", "_members", "loop")

    def __init__(self) -> None:
        self._members: set[Ticking] = set()
        self._handle: asyncio.TimerHandle | None = None
        self.loop = LoopOf()

    def add(self, member: Ticking) -> None:
        """Look at it from now on."""
        self._members.add(member)
        if self._handle is None:
            self._handle = self.loop().call_later(RESOLUTION, self._tick)

    def discard(self, member: Ticking) -> None:
        """Look at it no more."""
        self._members.discard(member)

    def _tick(self) -> None:
        if not self._members:
            self._handle = None
            return
        loop = self.loop()
        now = loop.time()
        for member in tuple(self._members):
            member.tick(now)
        self._handle = loop.call_later(RESOLUTION, self._tick)
