"""Step 2 of a call whose answer is there already: it takes a request and nothing else.

What it comes to is known before it is admitted, so that its hold and its entry are one order to the books.
"""

from msgspec.structs import replace

from gateway.accounts import Amounts, Hold, Settlement, Verdict
from gateway.batching import Teller
from gateway.caching.kept import Kept
from gateway.call import Event, Outcome, Served, Usage
from gateway.errors import BooksAway, RevisionMoved
from gateway.ports import Clock, Ledger, Relay
from gateway.steps.admit import refuse, skeleton_of
from gateway.tab import Tab

_ONE_REQUEST = Amounts(requests=1)
_NOTHING = Usage()
_PIECE = 64 * 1024
"""Bytes of a stream that are told at once."""


class Retelling:
    """Tells kept answers again."""

    def __init__(self, *, teller: Teller, ledger: Ledger | None, clock: Clock) -> None:
        self._teller = teller
        self._ledger = ledger
        self._clock = clock

    async def tell(self, tab: Tab, kept: Kept, relay: Relay | None) -> Outcome:
        """The answer, once its entry is in the books."""
        settlement = _settlement(tab, kept, self._clock.monotonic())
        entry, verdict = settlement.entry, await self._post(tab, settlement)
        if verdict.revision:
            raise RevisionMoved(verdict.revision)
        if verdict.refusal is not None:
            tab.note_refused(verdict.refusal)
            raise refuse(verdict.refusal)
        if self._ledger is not None:
            await self._ledger.commit(entry, within=tab.seconds_to_commit(self._clock.monotonic()))
        served = Served(
            provider=kept.provider,
            deployment=kept.deployment,
            model=tab.model.name,
            cache="hit",
            rates=verdict.rates,
        )
        if relay is not None and kept.events:
            await _replay(kept.events, served, relay)
        return Outcome(
            reply=kept.reply,
            served=served,
            charge_nano=0,
            overhead_us=entry.overhead_us,
            latency_ms=entry.latency_ms,
            meters=kept.reply.usage or _NOTHING,
        )

    async def _post(self, tab: Tab, settlement: Settlement) -> Verdict:
        try:
            return await self._teller.admit_settled(settlement)
        except BooksAway:
            if tab.principal.policy.books_away != "allow":
                raise
            tab.note_let_in()
            await self._teller.put_by(replace(settlement, opens=False))
            return Verdict()


def _settlement(tab: Tab, kept: Kept, monotonic: float) -> Settlement:
    """Nothing was counted and nothing is charged; the names are those of who answered first."""
    skeleton, seconds = skeleton_of(tab, 0), monotonic - tab.call.started
    entry = replace(
        skeleton,
        status="cached",
        provider_id=kept.provider_id,
        provider=kept.provider,
        deployment_id=kept.deployment_id,
        deployment=kept.deployment,
        estimated=False,
        latency_ms=round(seconds * 1000),
        overhead_us=max(0, round(seconds * 1_000_000)),
    )
    hold = Hold(
        id=tab.call.id,
        accounts=tab.accounts,
        amounts=_ONE_REQUEST,
        revision=tab.principal.revision,
        skeleton=skeleton,
    )
    return Settlement(hold=hold, entry=entry, tokens=0, opens=True)


async def _replay(events: bytes, served: Served, relay: Relay) -> None:
    """Tell a stream again, but for its end."""
    await relay.start(served)
    for start in range(0, len(events), _PIECE):
        await relay.send(Event(events[start : start + _PIECE]))
