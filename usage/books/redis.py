"""The books that several processes share: on Redis, where one script carries out all orders of a shard.

What a shard could forget is kept here too until it is safe, and posted again after a loss
(docs/decisions/0011). Whatever fails is `BooksAway`. Nothing is tried twice: that is for the teller.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from msgspec.structs import replace

from gateway.accounts import HOPELESS, Account, Order, Renewal, Verdict
from gateway.errors import BooksAway
from gateway.ports import Clock
from gateway.standing import Standing
from usage.books import redis_standing
from usage.books.connection import Connection
from usage.books.orders import Batch, Receipt
from usage.books.redis_condition import Condition, look_at_server
from usage.books.redis_errands import Errand, InLedger, after_ledger, put_together, taken_apart
from usage.books.redis_outstanding import Outstanding
from usage.books.redis_recovery import LedgerIsBlank, LedgerSums, Recovery
from usage.books.redis_shards import Shards, Terms
from usage.books.shards import SHARDS, shard_key

_SWEPT_AT_ONCE = 100
"""Of one shard in one call: other calls wait meanwhile."""


class RedisBooks:
    """Accounts, holds and journal of any number of processes."""

    def __init__(
        self,
        url: str,
        *,
        sums: LedgerSums,
        is_blank: LedgerIsBlank,
        in_ledger: InLedger,
        clock: Clock | None = None,
        lease_ms: int = 60_000,
        backlog_at_most: int = 100_000,
        rebuild_ms: int = 3_000,
        replicas: int = 0,
        reply_timeout: float = 1.0,
    ) -> None:
        terms = Terms(
            lease_ms=lease_ms,
            backlog_at_most=backlog_at_most,
            rebuild_ms=rebuild_ms,
            replicas=replicas,
            replicas_ms=round(reply_timeout * 500),
        )
        self.is_open = False
        """Whether orders are taken."""
        self._connection = Connection(url, timeout=reply_timeout)
        self._shards = Shards(self._connection, terms, clock)
        self._outstanding = [Outstanding(lease_ms) for _ in range(SHARDS)]
        self._in_ledger = in_ledger
        self._recovery = Recovery(
            shards=self._shards,
            outstanding=self._outstanding,
            carry=self._carry,
            sums=sums,
            is_blank=is_blank,
            in_ledger=in_ledger,
        )

    async def open(self) -> None:
        """Take orders from now on; Redis may come later."""
        self.is_open = True
        with suppress(BooksAway):
            await self.tend()

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Carry out orders, those of each shard in turn."""
        if not self.is_open:
            raise BooksAway
        errands = [Errand(order) for order in taken_apart(orders)]
        self._keep_alive(errands)
        countable = [errand for errand in errands if errand.is_countable]
        if len(countable) < len(errands):
            for errand in errands:
                errand.verdict = errand.verdict if errand.is_countable else HOPELESS
        await self._carry(countable)
        await self._fetch_answers(countable)
        verdicts = put_together(orders, [errand.verdict for errand in errands])
        if verdicts and all([verdict.failed and not verdict.hopeless for verdict in verdicts]):
            raise BooksAway
        return verdicts

    async def sweep(self) -> int:
        """Turn holds whose lease has ended into unsettled entries."""
        if not self.is_open:
            raise BooksAway
        swept, waiting = 0, list(range(SHARDS))
        while waiting:
            batches = {shard: self._shards.batch() for shard in waiting}
            for batch in batches.values():
                batch.add_sweep(_SWEPT_AT_ONCE)
            receipts = await self._shards.ask(batches)
            counts = {
                shard: receipt.verdicts[0][0] for shard, receipt in receipts.items() if receipt.verdicts
            }
            swept += sum(counts.values())
            waiting = [shard for shard, count in counts.items() if count == _SWEPT_AT_ONCE]
        return swept

    async def look(self, tenant_id: UUID, accounts: Sequence[Account]) -> Sequence[Standing]:
        """How a tenant's accounts stand."""
        return await redis_standing.look(self._shards, tenant_id, accounts)

    async def reset(self, tenant_id: UUID, accounts: Sequence[Account]) -> int:
        """Begin windows anew."""
        return await redis_standing.reset(self._shards, tenant_id, accounts)

    async def tend(self) -> None:
        """Notice what was lost, though no calls come, and bring it back; to be done about once a second."""
        await self._recovery.tend()

    async def condition(self) -> Condition:
        """What keeps these books from being relied on."""
        return await look_at_server(self._shards)

    async def close(self) -> None:
        """Hang up, after whatever is under way."""
        self.is_open = False
        await self._recovery.stop()
        await self._connection.close()

    def _keep_alive(self, errands: Sequence[Errand]) -> None:
        for errand in errands:
            if isinstance(errand.order, Renewal):
                kept = self._outstanding[errand.shard]
                kept.keep_alive(errand.order.id, self._shards.now_ms)

    async def _carry(self, errands: Sequence[Errand]) -> None:
        """Go to the shards, as often as verdicts ask for."""
        while errands:
            groups: dict[int, list[Errand]] = defaultdict(list)
            for errand in errands:
                groups[errand.shard].append(errand)
            batches = {shard: self._batch_of(group) for shard, group in groups.items()}
            receipts = await self._shards.ask(batches)
            unfinished = [
                errand
                for shard, receipt in receipts.items()
                for errand in self._hear(shard, groups[shard], batches[shard], receipt)
            ]
            errands = await after_ledger(unfinished, self._in_ledger)

    async def _fetch_answers(self, errands: Sequence[Errand]) -> None:
        """What was answered before is not in the verdict: it is long, and few ask for it."""
        for errand in errands:
            claimed, claim = errand.verdict.claimed, errand.claim
            if claimed is not None and claim is not None and claimed.state == "answered":
                key = shard_key(errand.shard, f"i:{claim.key}").encode()
                answer = await self._shards.command(b"HGET", key, b"answer")
                errand.verdict = Verdict(claimed=replace(claimed, answer=answer or b""))

    def _batch_of(self, errands: list[Errand]) -> Batch:
        batch = self._shards.batch()
        for errand in errands:
            errand.join(batch)
        return batch

    def _hear(self, shard: int, errands: list[Errand], batch: Batch, receipt: Receipt) -> list[Errand]:
        """Take verdicts; the errands that have to go once more."""
        done: list[Errand] = []
        unfinished: list[Errand] = []
        for errand, said in zip(errands, receipt.verdicts, strict=False):  # a lost shard says nothing to any
            if not errand.hear(said, batch, receipt.now):
                unfinished.append(errand)
            elif errand.is_carried_out:
                done.append(errand)
        self._outstanding[shard].look_at(receipt)
        self._outstanding[shard].note(done, receipt)
        return unfinished
