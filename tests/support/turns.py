"""Turns at a turnstile: made, begun, and waited for."""

import asyncio
from uuid import UUID

from gateway.ids import uuid7
from gateway.ports import Turnstile
from gateway.turns import Quota, Turn
from tests.support.clock import idle

NOISY, QUIET, THIRD = UUID(int=11), UUID(int=12), UUID(int=13)
WITHIN = 10.0


def make_quota(*, rpm: int | None = None, tpm: int | None = None, parallel: int | None = None) -> Quota:
    """A quota that nobody else knows."""
    return Quota(id=f"test:{uuid7().hex}", rpm=rpm, tpm=tpm, parallel=parallel)


def make_turn(tenant: UUID = NOISY, *, tokens: int = 10, priority: int = 0) -> Turn:
    """A wish that nobody has had yet."""
    return Turn(id=uuid7(), tenant_id=tenant, priority=priority, tokens=tokens)


class Guest:
    """Somebody who enters, in a task of their own."""

    def __init__(
        self, turnstile: Turnstile, quota: Quota, turn: Turn, *, wait: float = 30.0, most_waiting: int = 100
    ) -> None:
        self.turn = turn
        self.position = 0
        self._seen = asyncio.Event()
        self.task = asyncio.ensure_future(
            turnstile.enter(quota, turn, wait=wait, most_waiting=most_waiting, seen=self._see)
        )

    async def stands_in_line(self) -> "Guest":
        """Return when it waits."""
        async with asyncio.timeout(WITHIN):
            await self._seen.wait()
        await idle()
        return self

    async def is_in(self) -> float:
        """How long it waited, once it has its place."""
        async with asyncio.timeout(WITHIN):
            return await asyncio.shield(self.task)

    def _see(self, position: int) -> None:
        self.position = position
        self._seen.set()
