"""Orders on their way to a shard, and how its verdicts are read."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.accounts import (
    LARGEST_AMOUNT,
    Claim,
    Claimed,
    Hold,
    Order,
    Refusal,
    Renewal,
    Settlement,
    Verdict,
    is_countable,
)
from gateway.call import Rate
from gateway.entry import Entry, at_bound, correct_entry
from gateway.errors import BooksAway
from usage.books.orders import AWAY, CLAIMED, GRANTED, MOVED, REFUSED, SWEPT, UNKNOWN, Batch
from usage.books.shards import shard_of

ANSWERS_WITHIN = 1.0
"""Seconds that the ledger has to say whether it knows a call: others wait in the same post."""

InLedger = Callable[[Sequence[UUID]], Awaitable[set[UUID]]]
"""Which of these entries the ledger has; `BooksAway` while it cannot be asked."""

_AWAY = Verdict(failed=True)
_DONE = Verdict()
_CLAIMS: Mapping[int, Literal["conflict", "running", "answered", "unknown"]] = {
    1: "conflict",
    2: "running",
    3: "answered",
    4: "unknown",
}


class Errand(Struct, gc=False):
    """One order, until there is a verdict; some take more than one try with different words."""

    order: Order
    again: bool = False
    """It was carried out before, and the shard has lost that."""
    correction: Entry | None = None
    """What stands for a settlement whose hold was swept; once made, it stays the same."""
    verdict: Verdict = _AWAY
    is_covered: bool = True
    """Whether the shard is to find a hold, or to remember one."""
    corrected_tokens: int | None = None

    @property
    def shard(self) -> int:
        """Whose business it is."""
        return shard_of(_tenant_of(self.order))

    @property
    def claim(self) -> Claim | None:
        """The `Idempotency-Key` that it would take."""
        return self.order.claim if isinstance(self.order, Hold) else None

    @property
    def is_countable(self) -> bool:
        """Whether doubles count its amounts without loss."""
        return is_countable(self.order, largest=LARGEST_AMOUNT)

    @property
    def is_carried_out(self) -> bool:
        """Whether the shard did what was asked."""
        verdict = self.verdict
        return not (verdict.failed or verdict.refusal or verdict.revision or verdict.claimed)

    @property
    def unknown(self) -> Settlement | None:
        """What the shard knows nothing of, and the ledger may."""
        return self.order if not self.is_covered and isinstance(self.order, Settlement) else None

    def join(self, batch: Batch) -> None:
        """Come along."""
        order = self.order
        if isinstance(order, Hold):
            batch.add_hold(order, again=self.again)
        elif isinstance(order, Renewal):
            batch.add_renewal(order.id)
        elif self.corrected_tokens is not None and self.correction is not None:
            batch.add_correction(self.correction, tokens=self.corrected_tokens, settlement=order)
        else:
            # What a shard has lost is unknown to it for that reason: the ledger is not asked about it.
            batch.add_settlement(order, covered=self.is_covered and not self.again)

    def hear(self, said: list[int], batch: Batch, now_ms: int) -> bool:
        """Take a verdict; whether that was the last word."""
        kind = said[0] if said else 0
        if kind == SWEPT:
            self._correct(said, now_ms)
            return False
        if kind == UNKNOWN:
            was_covered, self.is_covered = self.is_covered, False
            self.corrected_tokens = None
            return not was_covered
        self.verdict = _verdict(kind, said, batch)
        return True

    def _correct(self, said: list[int], now_ms: int) -> None:
        _, nano, tokens, attempts = said
        order = self.order
        if isinstance(order, Hold | Renewal):
            return
        if self.correction is None:
            unsettled = at_bound(order.hold.skeleton, nano, attempts)
            self.correction = correct_entry(unsettled, order.entry, now_ms)
        self.corrected_tokens = order.tokens - tokens


def taken_apart(orders: Sequence[Order]) -> Sequence[Order]:
    """The same, where each that opens its own hold has become two."""
    if not any(map(_opens, orders)):
        return orders
    apart: list[Order] = []
    for order in orders:
        if isinstance(order, Settlement) and order.opens:
            apart += (order.hold, replace(order, opens=False, gives_back=True))
        else:
            apart.append(order)
    return apart


def put_together(orders: Sequence[Order], verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """A verdict for each order: of two that were one the hold's, unless it alone was carried out."""
    if len(orders) == len(verdicts):
        return verdicts
    each, together = iter(verdicts), []
    for order in orders:
        verdict = next(each)
        if _opens(order):
            closed = next(each)
            verdict = closed if closed.failed and not verdict.failed else verdict
        together.append(verdict)
    return together


def _opens(order: Order) -> bool:
    return isinstance(order, Settlement) and order.opens


async def after_ledger(errands: list[Errand], in_ledger: InLedger) -> list[Errand]:
    """Errands that may go on: those that a shard does not know, once the ledger was asked for them.

    Its marks of settled calls are short. What the ledger has moves no account again; what is still in the
    journal when its mark may be over, the script does not call unknown.
    """
    unknown = [(errand, order) for errand in errands if (order := errand.unknown) is not None]
    if not unknown:
        return errands
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            known = await in_ledger([order.entry.id for _, order in unknown])
    except (BooksAway, TimeoutError):
        return [errand for errand in errands if errand.unknown is None]
    for errand, order in unknown:
        if order.entry.id in known:
            errand.order = replace(order, hold=replace(order.hold, accounts=()))
    return errands


def _tenant_of(order: Order) -> UUID:
    if isinstance(order, Hold):
        return order.skeleton.tenant_id
    return order.tenant_id if isinstance(order, Renewal) else order.entry.tenant_id


def _verdict(kind: int, said: list[int], batch: Batch) -> Verdict:
    if kind == GRANTED:
        return Verdict(rates=tuple(_rate(batch, *said[at : at + 3]) for at in range(1, len(said), 3)))
    if kind == REFUSED:
        _, place, retry_ms, remaining = said
        account = batch.accounts[place - 1]
        return Verdict(refusal=Refusal(account=account, retry_ms=retry_ms, remaining=remaining))
    if kind == MOVED:
        return Verdict(revision=said[1])
    if kind == CLAIMED:
        return Verdict(claimed=Claimed(state=_CLAIMS[said[1]]))
    return _AWAY if kind == AWAY else _DONE


def _rate(batch: Batch, place: int, remaining: int, reset_ms: int) -> Rate:
    account = batch.accounts[place - 1]
    return Rate(unit=account.unit, limit=account.limit, remaining=remaining, reset_ms=reset_ms)
