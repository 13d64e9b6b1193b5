"""Orders on their way to a shard, and how its verdicts are read."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from msgspec import Struct

from gateway.accounts import (
    LARGEST_AMOUNT,
    Claim,
    Claimed,
    Hold,
    Order,
    Refusal,
    Renewal,
    Verdict,
    is_countable,
)
from gateway.call import Rate
from gateway.entry import Entry, at_bound
from gateway.tally import correct_entry
from usage.books.orders import AWAY, CLAIMED, GRANTED, MOVED, REFUSED, SWEPT, UNKNOWN, Batch
from usage.books.shards import shard_of

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
            batch.add_settlement(order, covered=self.is_covered)

    def hear(self, said: list[int], batch: Batch, now_ms: int) -> bool:
        """Take a verdict; whether that was the last word."""
        kind = said[0] if said else 0
        if kind == SWEPT:
            self._correct(said, now_ms)
            return False
        if kind == UNKNOWN:
            was_covered, self.is_covered = self.is_covered, False
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
