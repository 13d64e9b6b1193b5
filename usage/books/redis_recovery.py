"""The way back after Redis has lost something; see docs/decisions/0011.

1. A call, or the look at all shards once a second, finds a shard that knows too little: it is `lost`.
2. One process claims it. If more than the last moments are gone, counters are summed from the ledger.
3. It is `rebuilding`: every process brings back what it knows, and what was there already is a repetition.
4. When the time for that is over, the script itself says `ready`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import msgspec
from msgspec import Struct

from gateway.accounts import Order
from gateway.errors import BooksAway
from usage.books.orders import BLANK, SUMMED, TAIL, Receipt
from usage.books.redis_errands import Errand, InLedger
from usage.books.redis_outstanding import Outstanding, Written
from usage.books.redis_shards import Shards
from usage.books.shards import SHARDS, journal_key, shard_key

CLAIM_MS = 10_000
"""So long a claim stands when its process is gone."""

_AT_ONCE = 200
"""Orders of one call: others wait meanwhile."""
_REBUILD_WITHIN = 0.5
"""Seconds that a look waits for the rebuilding it began; what takes longer goes on beside it."""
_SCRIPT = Path(__file__).with_name("rebuild.lua").read_bytes()

logger = logging.getLogger(__name__)


class Spent(Struct, frozen=True, array_like=True, gc=False):
    """What an account has spent in a window that is not over."""

    account: str
    start_ms: int
    ends_ms: int
    spent: int


class LedgerSums(Protocol):
    """Sums up what the ledger says, or `BooksAway` while it cannot be asked."""

    async def __call__(self, shard: int, now_ms: int) -> Sequence[Spent]:
        """What every account of a shard's tenants has spent in its window of now."""


LedgerIsBlank = Callable[[], Awaitable[bool]]
"""Whether the ledger never had an entry, or `BooksAway` while it cannot be asked."""


class Recovery:
    """Tends the shards for one process."""

    def __init__(
        self,
        *,
        shards: Shards,
        outstanding: Sequence[Outstanding],
        carry: Callable[[Sequence[Errand]], Awaitable[None]],
        sums: LedgerSums,
        is_blank: LedgerIsBlank,
        in_ledger: InLedger,
    ) -> None:
        self._shards = shards
        self._outstanding = outstanding
        self._carry = carry
        self._sums = sums
        self._is_blank = is_blank
        self._in_ledger = in_ledger
        self._claimant = uuid4().hex.encode()
        self._rebuilding: dict[int, asyncio.Task[None]] = {}
        self._lost: set[int] = set()

    async def tend(self) -> None:
        """Look at every shard once, and do what is due."""
        receipts = await self._shards.ask({shard: self._shards.batch() for shard in range(SHARDS)})
        self._report({shard for shard, receipt in receipts.items() if receipt.status == "lost"})
        failures = []
        for shard, receipt in receipts.items():
            try:
                await self._look_at(shard, receipt)
            except BooksAway as error:  # of the ledger perhaps, which not every shard needs
                failures.append(error)
        if self._rebuilding:
            await asyncio.wait(self._rebuilding.values(), timeout=_REBUILD_WITHIN)
        if failures:
            raise failures[0]

    async def stop(self) -> None:
        """Leave what is not rebuilt yet to others."""
        tasks = list(self._rebuilding.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_at(self, shard: int, receipt: Receipt) -> None:
        kept = self._outstanding[shard]
        kept.drop_expired(receipt.now)
        kept.look_at(receipt)
        if receipt.status == "lost":
            await self._keep_rebuilding(shard, receipt)
        elif kept.loss != receipt.loss:
            await self._bring_back(shard, receipt)

    def _report(self, lost: set[int]) -> None:
        if lost - self._lost:
            logger.warning("Redis knows less than it should, and is told again: shards %s", sorted(lost))
        self._lost = lost

    async def _keep_rebuilding(self, shard: int, receipt: Receipt) -> None:
        if not await self._step(b"claim", shard, receipt, CLAIM_MS) or shard in self._rebuilding:
            return
        task = asyncio.create_task(self._rebuild(shard, receipt))
        self._rebuilding[shard] = task
        task.add_done_callback(lambda _: self._rebuilding.pop(shard))

    async def _rebuild(self, shard: int, receipt: Receipt) -> None:
        try:
            made_from = await self._restore(shard, receipt) if receipt.sums else TAIL
            if made_from is not None:
                await self._step(b"open", shard, receipt, receipt.now, b"%d" % made_from)
        except BooksAway as error:
            logger.warning("the books of shard %d cannot be rebuilt yet: %r", shard, error.__cause__)
        except Exception:  # nobody awaits this task: it says so itself, and the next look begins it again
            logger.exception("the books of shard %d cannot be rebuilt", shard)

    async def _restore(self, shard: int, receipt: Receipt) -> int | None:
        """Sum the counters, once what is left of the journal is in the ledger; what they were made from."""
        if await self._shards.command(b"XLEN", journal_key(shard).encode()):
            logger.warning("the books of shard %d wait until its journal is drained", shard)
            return None
        if await self._is_blank():
            return BLANK
        lost_at = int(receipt.loss.partition("-")[0])
        if receipt.now - lost_at < self._shards.terms.rebuild_ms // 3:
            return None  # what drainers had in their hands then is on its way to the ledger
        rows = await self._sums(shard, receipt.now)
        for at in range(0, len(rows), _AT_ONCE):
            some = msgspec.msgpack.encode(rows[at : at + _AT_ONCE])
            if not await self._step(b"restore", shard, receipt, receipt.now, some):
                return None
        return SUMMED

    async def _step(self, name: bytes, shard: int, receipt: Receipt, milliseconds: int, *more: bytes) -> bool:
        keys = (shard_key(shard, "state").encode(), shard_key(shard, "claim").encode())
        who = (self._claimant, receipt.loss.encode(), b"%d" % milliseconds)
        return bool(await self._shards.command(b"EVAL", _SCRIPT, b"2", *keys, name, *who, *more))

    async def _bring_back(self, shard: int, receipt: Receipt) -> None:
        """Post again what this process knows, unless the sums were made from it."""
        kept = self._outstanding[shard]
        loss, lost = kept.loss, kept.take_lost(receipt)
        try:
            errands = await self._errands(kept, lost, receipt)
            for at in range(0, len(errands), _AT_ONCE):
                some = errands[at : at + _AT_ONCE]
                await self._carry(some)
                if any([errand.verdict.failed for errand in some]):
                    raise BooksAway
        except BaseException:
            kept.put_back(lost)
            kept.loss = loss
            raise
        kept.loss = receipt.loss
        if errands:
            logger.warning("%d orders were brought back to the books of shard %d", len(errands), shard)

    async def _errands(self, kept: Outstanding, lost: list[Written], receipt: Receipt) -> list[Errand]:
        closed = [one for written in lost for one in written.closed]
        if (
            receipt.sums != SUMMED
        ):  # what came to the ledger since is in no counter, and its line only repeats
            settled = [Errand(one.settlement, again=True, correction=one.correction) for one in closed]
            return [*(Errand(hold, again=True) for hold in kept.holds.values()), *settled]
        identifiers = [identifier for one in closed for identifier in one.identifiers]
        known = await self._in_ledger([*kept.holds, *identifiers])
        for identifier in known:
            kept.drop(identifier)
        missing = [one.unknown_to(known, receipt.now) for one in closed]
        orders: list[Order] = [*kept.holds.values(), *(order for order in missing if order is not None)]
        return [Errand(order, again=True) for order in orders]
