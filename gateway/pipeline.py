"""One request's way through the gateway, whatever door it came by."""

import asyncio
from contextlib import suppress
from random import Random
from types import TracebackType

from msgspec.structs import replace

from gateway.accounts import Verdict
from gateway.batching import Teller
from gateway.breaker import Breaker
from gateway.call import Call, Outcome, Reply
from gateway.entry import Entry
from gateway.errors import BooksAway, GatewayError, RevisionMoved
from gateway.once import ClaimTaken, Recording, run_once
from gateway.ports import Books, Cache, Catalog, Clock, Directory, Ledger, Relay, Spill, Vault
from gateway.principal import Principal
from gateway.responses.errors import UnknownResponse
from gateway.responses.keeping import Keeper
from gateway.retry import Effort
from gateway.steps.admit import open_tab, refuse
from gateway.steps.count import count_here
from gateway.steps.fit import admit_smaller
from gateway.steps.recall import recall
from gateway.steps.route import usable_by
from gateway.steps.screen import screen
from gateway.steps.settle import settlement_of, with_answer
from gateway.steps.upstream import MakeBreaker, TransportFor, Upstream
from gateway.tab import LEAST_SECONDS, Tab, failed_at, served_by
from gateway.tending import Tending
from gateway.tokens import TokenCounter


class Gateway:
    """The engine: everything a call passes through, composed once a process."""

    def __init__(
        self,
        *,
        books: Books,
        spill: Spill,
        vault: Vault,
        directory: Directory,
        catalog: Catalog,
        cache: Cache,
        clock: Clock,
        transport_for: TransportFor,
        ledger: Ledger | None = None,
        keeper: Keeper | None = None,
        lease_seconds: float = 60.0,
        effort: Effort | None = None,
        random: Random | None = None,
        make_breaker: MakeBreaker = Breaker,
    ) -> None:
        self.directory = directory
        self.catalog = catalog
        self.cache = cache
        self.clock = clock
        self.lease_seconds = lease_seconds
        self.spill = spill
        self.vault = vault
        self.ledger = ledger
        self.keeper = keeper
        self.teller = Teller(books, spill, clock)
        self.counter = TokenCounter()
        self.open: set[Tab] = set()
        self.upstream = Upstream(
            transport_for=transport_for,
            teller=self.teller,
            clock=clock,
            random=random or Random(),  # noqa: S311 - it spreads load, it guards nothing
            effort=effort or Effort(),
            make_breaker=make_breaker,
        )

    async def run(self, call: Call, relay: Relay | None = None) -> Outcome:
        """One request's way. A stream goes the same way, its events through `relay` as they come.

        1. identify the key, and the person behind the app if it names one; recall what the call goes on from
        2. admit: name the model, bound the cost, hold it on every account or on none
        3. screen what the call carries: which providers may see it
        4. recall an answer that is there already, or count what no provider of the model counts
        5. route: put the deployments in order
        6. call them in turn until one answers
        7. check the answer
        8. settle: price it, journal it, give back the rest of the hold; then it is kept if that was asked
           for, and is the caller's

        Steps 5 to 7 are `Upstream.answer`. Step 8 is the exit of `Admitted`: answered, failed, cut
        and cancelled calls all leave by it.
        """
        try:
            return await self._run(call, relay)
        except RevisionMoved as moved:  # between 1 and 2, where nothing was held
            await self.directory.catch_up(moved.revision)
        except ClaimTaken:
            pass  # in 2: another call has the same `Idempotency-Key`
        return await run_once(lambda: self._run(call, relay), relay=relay, vault=self.vault, clock=self.clock)

    async def _run(self, call: Call, relay: Relay | None) -> Outcome:
        principal = await self.directory.identify(call.origin)
        if call.ask.previous:
            call = await self._continued(call, principal)
        end_user = await self.directory.end_user(principal, call.ask.end_user) if call.ask.end_user else None
        snapshot = self.catalog.snapshot()
        tab = open_tab(call, principal, end_user, snapshot, self.clock.now())
        if tab.hold.claim is not None:
            tab.recording = Recording(relay)
        async with Admitted(self, tab) as admitted:
            usable = screen(tab.call, usable_by(tab.call, principal), tab.model.deployments)
            reply = await recall(tab.call, principal, self.cache) or await count_here(
                tab, usable, self.counter
            )
            if reply is None:
                reply = await self.upstream.answer(tab, usable, snapshot, tab.recording or relay)
            tab.reply = reply
        if tab.call.ask.keeps and self.keeper is not None:
            await self.keeper.keep(tab.call.ask, reply, principal.tenant_id)
        return admitted.outcome(reply)

    async def _continued(self, call: Call, principal: Principal) -> Call:
        """The call with all that was said before in it, so that it is bounded with it."""
        if self.keeper is None:
            raise UnknownResponse
        return replace(call, ask=await self.keeper.continued(call.ask, principal.tenant_id))

    def tending(self) -> Tending:
        """What is to run beside the calls."""
        return Tending(
            teller=self.teller,
            spill=self.spill,
            clock=self.clock,
            open_calls=self.open,
            lease_seconds=self.lease_seconds,
        )


class Admitted:
    """A call between its hold and its entry."""

    def __init__(self, gateway: Gateway, tab: Tab) -> None:
        self._gateway = gateway
        self._tab = tab
        self._entry: Entry = tab.skeleton

    async def __aenter__(self) -> "Admitted":
        verdict = await self._admit()
        if verdict.revision:
            raise RevisionMoved(verdict.revision)
        if verdict.claimed is not None:
            raise ClaimTaken(verdict.claimed)
        if verdict.refusal is not None:
            raise refuse(verdict.refusal)
        self._tab.rates = verdict.rates
        self._gateway.open.add(self._tab)
        return self

    async def _admit(self) -> Verdict:
        tab, teller = self._tab, self._gateway.teller
        try:
            verdict = await teller.admit(tab.hold)
            if verdict.refusal is None:
                return verdict
            return await admit_smaller(tab, tab.models, verdict, teller=teller, counter=self._gateway.counter)
        except BooksAway:
            if tab.principal.policy.books_away == "allow" and tab.hold.claim is None:
                return await teller.let_in(tab.hold)
            teller.give_back(tab.hold)  # it may have been opened, and nobody have heard of it
            raise

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
            if isinstance(error, GatewayError):
                reply = Reply(status=error.status, content_type="", body=b"")
                error.outcome = replace(self.outcome(reply), served=failed_at(self._tab))

    async def _settle(self) -> None:
        gateway, tab = self._gateway, self._tab
        try:
            settlement = await settlement_of(
                tab, monotonic=gateway.clock.monotonic(), counter=gateway.counter
            )
        finally:
            gateway.open.discard(tab)  # from here on nobody renews the lease: what fails below is swept
        self._entry = settlement.entry
        if tab.recording is not None:
            settlement = with_answer(settlement, tab, gateway.vault)
        await gateway.teller.settle(settlement, within=tab.seconds_left(gateway.clock.monotonic()))
        if gateway.ledger is not None:
            left = max(LEAST_SECONDS, tab.seconds_left(gateway.clock.monotonic()))
            await gateway.ledger.commit(self._entry, within=left)

    def outcome(self, reply: Reply) -> Outcome:
        """What the caller is told."""
        entry = self._entry
        return Outcome(
            reply=reply,
            served=served_by(self._tab, self._tab.served),
            charge_nano=entry.charge_nano,
            overhead_us=entry.overhead_us,
            latency_ms=entry.latency_ms,
            meters=entry.meters,
        )
