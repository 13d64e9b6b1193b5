"""What a process does for the books beside the calls: leases, sweeping, and what was spilled."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from gateway.accounts import Renewal
from gateway.batching import Teller
from gateway.errors import BooksAway
from gateway.ports import Clock, Spill
from gateway.tab import Tab

RENEWALS_A_LEASE = 4
SWEEP_EVERY = 5.0
REPLAY_SECONDS = 3.0
"""Longer than this no turn is at what was spilled: sweeping is not to wait for it."""

logger = logging.getLogger(__name__)


class Tending:
    """Keeps the leases of open calls, sweeps up after processes that died, and replays the spill."""

    def __init__(
        self, *, teller: Teller, spill: Spill, clock: Clock, open_calls: Collection[Tab], lease_seconds: float
    ) -> None:
        self._teller = teller
        self._spill = spill
        self._clock = clock
        self._open = open_calls
        self._renew_every = lease_seconds / RENEWALS_A_LEASE

    async def run(self) -> None:
        """Go on until cancelled; leases wait for nothing else."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._go_on(self._renew, self._renew_every))
            group.create_task(self._go_on(self._tidy, min(SWEEP_EVERY, self._renew_every)))

    async def _go_on(self, work: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            await self._clock.sleep(every)
            try:
                await work()
            except BooksAway:
                continue  # logged where it happened; the next turn tries again
            except Exception:  # if this loop ended, the leases of all calls would
                logger.exception("the books could not be tended; it is tried again")

    async def _tidy(self) -> None:
        await self._teller.books.sweep()
        await self._replay()

    async def _renew(self) -> None:
        renewals = [Renewal(id=tab.call.id, tenant_id=tab.principal.tenant_id) for tab in self._open]
        await asyncio.gather(*self._teller.renew(renewals))

    async def _replay(self) -> None:
        until = self._clock.monotonic() + REPLAY_SECONDS
        for order in await self._spill.kept(self._teller.let_in_calls):
            with suppress(BooksAway):  # of one tenant's shard perhaps; others need not wait for it
                (verdict,) = await self._teller.books.post([order])
                if not verdict.failed:
                    await self._spill.forget(order)
            if self._clock.monotonic() >= until:
                return
