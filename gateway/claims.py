"""Claims on an `Idempotency-Key`: of all calls that carry the same one, a single one is made. No I/O.

A call claims its key with its hold, in the same step of the books, so that of two that come together one
is first. What became of it stays known for a day: its answer, or that nobody knows.
"""

from uuid import UUID

from msgspec import Struct

from gateway.accounts import Claim, Claimed, Hold, Settlement, Verdict
from gateway.tally import Tally

KEPT_MS = 86_400_000


class Kept(Struct, array_like=True, gc=False):
    """What is known of a key, in the form in which stores keep it; nothing, once its time is over."""

    key: str
    body: str
    call: UUID
    until_ms: int
    answer: bytes | None = None


class Claims:
    """The keys of one store."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}

    def admit(self, hold: Hold, tally: Tally, now_ms: int) -> tuple[Verdict, Kept | None]:
        """Admit a hold if its key is free; and what is kept of the key from then on."""
        claim = hold.claim
        if claim is None:
            return tally.admit(hold, now_ms), None
        claimed = self._judge(claim, hold.id, tally, now_ms)
        if claimed is not None:
            return Verdict(claimed=claimed), None
        verdict = tally.admit(hold, now_ms)
        if verdict.refusal is not None:
            return verdict, None
        kept = self.kept[claim.key] = Kept(claim.key, claim.body, hold.id, now_ms + KEPT_MS)
        return verdict, kept

    def settle(self, settlement: Settlement) -> Kept | None:
        """Keep the answer, or free the key of a call that came to nothing; what changed, if anything did."""
        claim = settlement.hold.claim
        kept = None if claim is None else self.kept.get(claim.key)
        if kept is None or kept.call != settlement.hold.id:
            return None
        kept.answer = settlement.answer
        if settlement.entry.status == "failed":
            kept.until_ms = 0
        return kept

    def forget(self, now_ms: int) -> list[str]:
        """Drop the keys whose time is over."""
        over = [key for key, kept in self.kept.items() if kept.until_ms <= now_ms]
        for key in over:
            del self.kept[key]
        return over

    def _judge(self, claim: Claim, call: UUID, tally: Tally, now_ms: int) -> Claimed | None:
        kept = self.kept.get(claim.key)
        if kept is None or kept.call == call or kept.until_ms <= now_ms:
            return None
        if kept.body != claim.body:
            return Claimed(state="conflict")
        if kept.answer is not None:
            return Claimed(state="answered", answer=kept.answer)
        return Claimed(state="running" if kept.call in tally.holds else "unknown")
