"""A call between its hold and its entry: however it ends, it leaves by here, and is booked."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gateway.accounts import Refusal, Verdict
from gateway.call import Outcome, Reply
from gateway.entry import Entry
from gateway.errors import BooksAway, GatewayError, RevisionMoved
from gateway.once import ClaimTaken
from gateway.steps.admit import refuse
from gateway.steps.fit import admit_smaller
from gateway.steps.settle import settlement_of, with_answer
from gateway.tab import Tab, failed_at, served_by

if TYPE_CHECKING:
    from gateway.pipeline import Gateway


class Admitted:
    """A call between its hold and its entry."""

    def __init__(self, gateway: "Gateway", tab: Tab) -> None:
        self._gateway = gateway
        self._tab = tab
        self._entry: Entry = tab.skeleton

    async def __aenter__(self) -> "Admitted":
        tab, gateway = self._tab, self._gateway
        try:
            verdict = await gateway.teller.admit(tab.hold)
            if verdict.refusal is not None:
                verdict = await self._retry(verdict)
        except BooksAway:
            if tab.principal.policy.books_away == "refuse" or tab.hold.claim is not None:
                gateway.teller.give_back(tab.hold)  # it may have been opened, and nobody have heard of it
                raise
            tab.note_let_in()
            verdict = await gateway.teller.let_in(tab.hold)
        if verdict.revision:
            raise RevisionMoved(verdict.revision)
        if verdict.claimed is not None:
            tab.note("claimed", "idempotency_key", verdict.claimed.state)
            raise ClaimTaken(verdict.claimed)
        if verdict.refusal is not None:
            raise self._refused(verdict.refusal)
        tab.rates = verdict.rates
        gateway.open.add(tab)
        return self

    def _refused(self, refusal: Refusal) -> GatewayError:
        """The error; of a call that waited it tells that too."""
        tab, error = self._tab, refuse(refusal)
        tab.note_refused(refusal)
        if tab.waited:
            error.outcome = Outcome(
                reply=Reply(status=error.status, content_type="", body=b""),
                served=replace(failed_at(tab), rates=error.rates),
                charge_nano=0,
                overhead_us=round((self._gateway.clock.monotonic() - tab.call.started) * 1_000_000),
            )
        return error

    async def _retry(self, refused: Verdict) -> Verdict:
        """With a smaller hold, if one covers the call too; and then after a wait."""
        tab, teller, counter = self._tab, self._gateway.teller, self._gateway.counter
        verdict = await admit_smaller(tab, tab.models, refused, teller=teller, counter=counter)
        return verdict if verdict.refusal is None else await self._wait(verdict)

    async def _wait(self, refused: Verdict) -> Verdict:
        """In line for a quota of the tenant's own, as long as its policy says. No wait makes money."""
        gateway, tab, refusal = self._gateway, self._tab, refused.refusal
        now = gateway.clock.monotonic()
        if refusal is None or refusal.account.unit == "nano" or tab.begin_to_wait(now) <= 0:
            return refused
        until = now + tab.begin_to_wait(now)
        if refusal.account.unit != "concurrency" and now + refusal.retry_ms / 1000 > until:
            return refused  # the window ends later than that
        try:
            return await gateway.queue.wait_turn(
                refused,
                priority=tab.priority,
                until=until,
                retry=lambda: gateway.teller.admit(tab.hold),
                most_waiting=tab.principal.policy.queue_length,
                seen=tab.see_position,
            )
        finally:
            tab.note_wait(refusal.account.told, gateway.clock.monotonic() - now)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and (self._tab.usage is not None or self._tab.is_paid_for):
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
        if tab.hold.claim is not None:
            settlement = with_answer(settlement, tab, gateway.vault)
        await gateway.teller.settle(settlement, within=tab.seconds_left(gateway.clock.monotonic()))
        gateway.queue.settled(tab.hold.accounts)
        tab.entry = self._entry
        if gateway.ledger is not None:
            within = tab.seconds_to_commit(gateway.clock.monotonic())
            await gateway.ledger.commit(self._entry, within=within)

    def outcome(self, reply: Reply) -> Outcome:
        """What the caller is told."""
        entry = self._entry
        return Outcome(
            reply=reply,
            served=served_by(self._tab, self._tab.served),
            charge_nano=entry.charge_nano,
            overhead_us=entry.overhead_us,
            latency_ms=entry.latency_ms,
            meters=(reply.usage or entry.meters) if self._tab.is_paid_for else entry.meters,
        )
