"""What a process does for the books beside the calls: leases, sweeping, and what was spilled."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from gateway.accounts import Renewal
from gateway.batching import Teller
from gateway.errors import BooksAway
from gateway.ports import Clock, Spill
from gateway.tab import Tab

RENEWALS_A_LEASE = 4
SWEEP_EVERY = 5.0


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
        """Go on until cancelled."""
        last_renewal = self._clock.monotonic()
        while True:
            await self._clock.sleep(min(SWEEP_EVERY, self._renew_every))
            with suppress(BooksAway):  # logged where it happened; the next turn tries again
                if self._clock.monotonic() - last_renewal >= self._renew_every:
                    await asyncio.gather(
                        *self._teller.renew(
                            [Renewal(id=tab.call.id, tenant_id=tab.principal.tenant_id) for tab in self._open]
                        )
                    )
                    last_renewal = self._clock.monotonic()
                await self._teller.books.sweep()
                await self._replay()

    async def _replay(self) -> None:
        for settlement in await self._spill.kept():
            (verdict,) = await self._teller.books.post([settlement])
            if not verdict.failed:
                await self._spill.forget(settlement)
