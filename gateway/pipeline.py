"""One request's way through the gateway, whatever door it came by."""

import asyncio
from contextlib import suppress
from random import Random
from types import TracebackType

from gateway.accounts import Renewal
from gateway.batching import Teller
from gateway.call import Call, Outcome, Reply
from gateway.entry import Entry
from gateway.errors import BooksAway
from gateway.ports import Books, Cache, Catalog, Clock, Directory, Relay
from gateway.retry import Effort
from gateway.steps.admit import open_tab, refuse
from gateway.steps.recall import recall
from gateway.steps.route import usable_by
from gateway.steps.screen import screen
from gateway.steps.settle import settlement_of
from gateway.steps.upstream import TransportFor, Upstream, served_by
from gateway.tab import Tab
from gateway.tokens import TokenCounter

RENEWALS_A_LEASE = 4
SWEEP_EVERY = 5.0


class Gateway:
    """The engine: everything a call passes through, composed once a process."""

    def __init__(
        self,
        *,
        books: Books,
        directory: Directory,
        catalog: Catalog,
        cache: Cache,
        clock: Clock,
        transport_for: TransportFor,
        lease_seconds: float = 60.0,
        effort: Effort | None = None,
        random: Random | None = None,
    ) -> None:
        self.directory = directory
        self.catalog = catalog
        self.cache = cache
        self.clock = clock
        self.lease_seconds = lease_seconds
        self.teller = Teller(books)
        self.counter = TokenCounter()
        self.open: set[Tab] = set()
        self.upstream = Upstream(
            transport_for=transport_for,
            teller=self.teller,
            clock=clock,
            random=random or Random(),  # noqa: S311 - it spreads load, it guards nothing
            effort=effort or Effort(),
        )

    async def run(self, call: Call, relay: Relay | None = None) -> Outcome:
        """One request's way. A stream goes the same way, its events through `relay` as they come.

        1. identify the key, and the person behind the app if it names one
        2. admit: name the model, bound the cost, hold it on every account or on none
        3. screen what the call carries: which providers may see it
        4. recall an answer that is there already
        5. route: put the deployments in order
        6. call them in turn until one answers
        7. check the answer
        8. settle: price it, journal it, give back the rest of the hold; then it is the caller's

        Steps 5 to 7 are `Upstream.answer`. Step 8 is the exit of `Admitted`: answered, failed, cut
        and cancelled calls all leave by it.
        """
        principal = await self.directory.identify(call.origin)
        end_user = await self.directory.end_user(principal, call.ask.end_user) if call.ask.end_user else None
        snapshot = self.catalog.snapshot()
        tab = open_tab(call, principal, end_user, snapshot, self.clock.now())
        async with Admitted(self, tab) as admitted:
            usable = screen(call, usable_by(call, principal), tab.model.deployments)
            reply = await recall(call, principal, self.cache)
            if reply is None:
                reply = await self.upstream.answer(tab, usable, snapshot, relay)
        return admitted.outcome(reply)

    async def tend(self) -> None:
        """Keep the leases of open calls, and sweep up after processes that died; runs until cancelled."""
        renew_every = self.lease_seconds / RENEWALS_A_LEASE
        last_renewal = self.clock.monotonic()
        while True:
            await self.clock.sleep(min(SWEEP_EVERY, renew_every))
            with suppress(BooksAway):  # logged where it happened; the next turn tries again
                if self.clock.monotonic() - last_renewal >= renew_every:
                    await asyncio.gather(*self.teller.renew([Renewal(id=tab.call.id) for tab in self.open]))
                    last_renewal = self.clock.monotonic()
                await self.teller.books.sweep()


class Admitted:
    """A call between its hold and its entry."""

    def __init__(self, gateway: Gateway, tab: Tab) -> None:
        self._gateway = gateway
        self._tab = tab
        self._entry: Entry = tab.skeleton

    async def __aenter__(self) -> "Admitted":
        verdict = await self._gateway.teller.admit(self._tab.hold)
        if verdict.refusal is not None:
            raise refuse(verdict.refusal)
        self._tab.rates = verdict.rates
        self._gateway.open.add(self._tab)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._tab.usage is not None:
            await self._settle()  # its order is queued before it first waits, and then goes through
            return
        settling = asyncio.shield(asyncio.ensure_future(self._settle()))
        if kind is None:
            await settling
            return
        # The books away too: the hold stays and is swept at its bound; the first error is the one told.
        with suppress(BooksAway):
            await settling

    async def _settle(self) -> None:
        gateway, tab = self._gateway, self._tab
        try:
            settlement = await settlement_of(
                tab, monotonic=gateway.clock.monotonic(), counter=gateway.counter
            )
        finally:
            gateway.open.discard(tab)  # from here on nobody renews the lease: what fails below is swept
        self._entry = settlement.entry
        await gateway.teller.settle(settlement)

    def outcome(self, reply: Reply) -> Outcome:
        """What the caller is told."""
        entry = self._entry
        return Outcome(
            reply=reply,
            served=served_by(self._tab, self._tab.served),
            charge_nano=entry.charge_nano,
            overhead_us=entry.overhead_us,
        )
