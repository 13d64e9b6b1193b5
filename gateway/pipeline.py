"""One request's way through the gateway, whatever door it came by."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from gateway.admitted import Admitted
from gateway.batching import Teller
from gateway.breaker import Breaker
from gateway.breakers import Board, MakeBreaker
from gateway.caching.familiar import Familiar
from gateway.call import Call, Outcome, Reply
from gateway.catalog import Snapshot
from gateway.errors import NoSecureProvider, RevisionMoved
from gateway.flights import Flights
from gateway.gathering import Gatherer
from gateway.once import ClaimTaken, Recording, run_once
from gateway.ports import (
    Books,
    Cache,
    Catalog,
    Clock,
    Directory,
    Ledger,
    Meanings,
    Relay,
    Signs,
    Spill,
    Turnstile,
    Vault,
)
from gateway.principal import Principal
from gateway.queueing import LocalQueue
from gateway.reasons import Recent
from gateway.responses.errors import UnknownResponse
from gateway.responses.keeping import Keeper
from gateway.retry import Effort
from gateway.steps.admit import open_tab, worst_hold
from gateway.steps.count import count_here
from gateway.steps.recall import Recall
from gateway.steps.retell import Retelling
from gateway.steps.route import note_left_out, usable_by
from gateway.steps.screen import screen
from gateway.steps.upstream import TransportFor, Upstream
from gateway.tab import Tab
from gateway.tending import Tending
from gateway.tokens import TokenCounter
from gateway.turnstile import MemoryTurnstile


@dataclass(kw_only=True, eq=False)
class Gateway:
    """The engine: everything a call passes through, composed once a process."""

    books: Books
    spill: Spill
    vault: Vault
    directory: Directory
    catalog: Catalog
    cache: Cache
    clock: Clock
    transport_for: TransportFor
    ledger: Ledger | None = None
    keeper: Keeper | None = None
    meanings: Meanings | None = None
    lease_seconds: float = 60.0
    effort: Effort | None = None
    random: Random = field(default_factory=Random)  # it spreads load, it guards nothing
    make_breaker: MakeBreaker = Breaker
    signs: Signs | None = None
    turnstile: Turnstile | None = None

    def __post_init__(self) -> None:
        clock = self.clock
        self.teller = Teller(self.books, self.spill, clock)
        self.board = Board(clock=clock, make_breaker=self.make_breaker, signs=self.signs)
        self.counter = TokenCounter()
        self.gatherer = Gatherer(clock)
        self.flights = Flights()
        self.queue = LocalQueue(clock, self.random)
        self.open: set[Tab] = set()
        self.recent = Recent(clock)
        self.recall = Recall(
            cache=self.cache,
            meanings=self.meanings,
            vault=self.vault,
            clock=clock,
            run=self.run,
            is_under_way=self.flights.is_joinable,
        )
        self.retelling = Retelling(teller=self.teller, ledger=self.ledger, clock=clock)
        self.upstream = Upstream(
            transport_for=self.transport_for,
            teller=self.teller,
            clock=clock,
            random=self.random,
            effort=self.effort or Effort(),
            board=self.board,
            turnstile=self.turnstile or MemoryTurnstile(clock),
        )

    async def run(self, call: Call, relay: Relay | None = None, familiar: Familiar | None = None) -> Outcome:
        """One request's way. A stream goes the same way, its events through `relay` as they come.

        1. identify the key, and the person behind the app if it names one; recall what the call goes on from
        2. admit: name the model; an answer that is there already is told again at once; else bound the cost
           and hold it on every account or on none, waiting in line for it where the policy says so
        3. screen what the call carries: which providers may see it
        4. count what no provider of the model counts
        5. route: put the deployments in order
        6. call them in turn until one answers; a call that asks the same, or other embeddings, may come along
        7. check the answer
        8. settle: price it, journal it, give back the rest of the hold; then it is kept if that was asked
           for, and is the caller's

        Steps 5 to 7 are `Upstream.answer`. Step 8 is the exit of `Admitted`: answered, failed, cut
        and cancelled calls all leave by it.
        """
        try:
            return await self._run(call, relay, familiar)
        except RevisionMoved as moved:  # between 1 and 2, where nothing was held
            await self.directory.catch_up(moved.revision)
        except ClaimTaken:
            pass  # in 2: another call has the same `Idempotency-Key`
        return await run_once(lambda: self._run(call, relay), relay=relay, vault=self.vault, clock=self.clock)

    async def _run(self, call: Call, relay: Relay | None, familiar: Familiar | None = None) -> Outcome:
        principal, tab = await self.directory.identify(call.origin), None
        try:
            if call.ask.previous:
                call = await self._continued(call, principal)
            name = call.ask.end_user
            end_user = await self.directory.end_user(principal, name) if name else None
            snapshot = self.catalog.snapshot()
            now = self.clock.now()
            tab = None if familiar is None else familiar.open_tab(call, principal, snapshot, now)
            if tab is None:
                tab = open_tab(call, principal, end_user, snapshot, now)
            outcome = await self._booked(tab, snapshot, relay)
        except BaseException as error:  # it goes on; those that were cancelled are told of too
            self.recent.ended(call, principal, tab, error)
            raise
        if familiar is not None and tab.cache == "hit":
            familiar.answered(tab, snapshot)
        if tab.notes or tab.waited:  # else its entry tells all
            self.recent.answered(tab, outcome.reply)
        return outcome

    async def _booked(self, tab: Tab, snapshot: Snapshot, relay: Relay | None) -> Outcome:
        """The call from its hold to its entry, or what is kept of another one."""
        try:
            if self.recall.is_on or tab.principal.policy.shares:
                kept = await self.recall.look(tab)
                if kept is not None:
                    return await self.retelling.tell(tab, kept, relay)
                self._prepare(tab, relay)
            tab.hold = worst_hold(tab)
            if tab.hold.claim is not None:
                tab.recording = Recording(relay)
            async with Admitted(self, tab) as admitted:
                tab.reply = reply = await self._answer(tab, snapshot, tab.recording or relay)
        finally:
            tab.winner = None  # it leads back to the tab: nothing is left for the collector
            if tab.plan is not None:
                self.flights.leave(tab.seat)
                self.recall.close(tab)
        if tab.call.ask.keeps and self.keeper is not None:
            await self.keeper.keep(tab.call.ask, reply, tab.principal.tenant_id)
        return admitted.outcome(reply)

    def _prepare(self, tab: Tab, relay: Relay | None) -> None:
        """What comes is to be kept, or is asked for by another call just now."""
        if tab.plan is None:
            return
        if tab.plan.terms.keeps:
            tab.recording = Recording(relay, most=self.recall.answer_at_most)
        if tab.plan.terms.shares:
            tab.seat = self.flights.board(tab.plan.key.exact)

    def _answer(self, tab: Tab, snapshot: Snapshot, relay: Relay | None) -> Awaitable[Reply]:
        """What is counted here, or said by a provider: to this call alone or to several alike."""
        try:
            usable = screen(tab.call, usable_by(tab.call, tab.principal), tab.model.deployments)
        except NoSecureProvider:
            note_left_out(tab, tab.model)
            raise
        if tab.call.ask.kind == "count" and not any(map(usable, tab.model.deployments)):
            return count_here(tab, self.counter)

        gathers = tab.model.batch_size > 1 and tab.call.ask.kind == "embedding"
        if tab.seat is None and not gathers:
            return self.upstream.answer(tab, usable, snapshot, relay)

        def make(listener: Relay | None) -> Awaitable[Reply]:
            if gathers:
                return self.gatherer.answer(
                    tab, lambda one: self.upstream.answer(one, usable, snapshot, None)
                )
            return self.upstream.answer(tab, usable, snapshot, listener)

        return self.flights.fly(tab, make, relay)

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
