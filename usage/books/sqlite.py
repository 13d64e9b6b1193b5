"""The embedded books: SQLite, one commit for all orders of a loop tick.

The arithmetic is the engine's `Tally`, kept in memory and mirrored to the file. What `post` returned
is in the file: it survives the death of the process (`synchronous=NORMAL`) or also that of the
machine (`FULL`). The ledger itself is written some milliseconds later, many entries at once.

A NORMAL commit is a write to the page cache and is done on the loop: a writer thread cost more in
handing orders over than SQLite in carrying them out (docs/decisions/0005). What may block goes to a
thread: commits under FULL, waiting for another writer, and checkpoints.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TypeVar
from uuid import UUID

from gateway.accounts import (
    HOPELESS,
    Account,
    Hold,
    Order,
    Settlement,
    Verdict,
    is_countable,
    uncovered_amounts,
)
from gateway.claims import Claims
from gateway.entry import Entry
from gateway.errors import BooksAway
from gateway.ports import Clock
from gateway.standing import Standing, look_at, renew_windows
from gateway.tally import Counter, Tally
from usage.books.changes import Changes
from usage.books.file_lock import BooksTaken as BooksTaken
from usage.books.file_lock import lock_beside
from usage.books.mirror import OPEN, SWEPT, Busy, Closed, Mirror

DRAIN_AFTER = 0.05
"""Seconds after which an entry is in the ledger for everyone to read."""
DRAIN_AT = 64
"""So many entries are moved at once, at the latest: a millisecond's work."""

CHECKPOINT_AT = 20_000
"""So many entries after a checkpoint the next one is due, that the log may not grow long."""

_Result = TypeVar("_Result")

logger = logging.getLogger(__name__)


class SqliteBooks:
    """Accounts, holds and ledger of a gateway that is one process."""

    def __init__(
        self, path: Path, *, clock: Clock, lease_ms: int = 60_000, synchronous: str = "NORMAL"
    ) -> None:
        self.path = path
        self.tally = Tally(lease_ms=lease_ms)
        self.claims = Claims()
        self._clock = clock
        self._synchronous = synchronous
        self._turn = asyncio.Lock()
        self._mirror: Mirror | None = None
        self._lock_file: IO[str] | None = None
        self._stale = False
        self._backlog: list[Closed] = []
        self._freed: list[UUID] = []
        self._timer: asyncio.TimerHandle | None = None
        self._drained = 0
        self._draining: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether orders are taken."""
        return self._mirror is not None

    async def open(self) -> None:
        """Take the books over. Holds found open belonged to a process that is gone: they are swept now."""
        self._lock_file = lock_beside(self.path)
        mirror = await asyncio.to_thread(Mirror, self.path, self._synchronous)
        await asyncio.to_thread(self._take_over, mirror)
        self._mirror = mirror

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Carry out orders; they are committed when this returns."""
        return await self._ask(orders)

    async def sweep(self) -> int:
        """Turn holds whose lease has ended into unsettled entries, and move the log into the file."""
        swept = len(await self._ask(None))
        await self._checkpoint()
        return swept

    async def look(self, _: UUID, accounts: Sequence[Account]) -> Sequence[Standing]:
        """How accounts stand."""
        await self._ask(())  # what a failed transaction has left behind is put right first
        return look_at(self.tally, accounts, round(self._clock.now() * 1000))

    async def reset(self, _: UUID, accounts: Sequence[Account]) -> int:
        """Begin windows anew, and write that down."""
        await self._ask(())
        chosen = renew_windows(self.tally, accounts, round(self._clock.now() * 1000))
        await self._ask((), drain=True)
        return chosen

    async def drain(self) -> None:
        """Move every entry that waits to the ledger."""
        if self._backlog:
            await self._ask((), drain=True)

    async def close(self) -> None:
        """Let go of the file, after whatever is under way."""
        if self._mirror is not None:
            with suppress(BooksAway):
                await self.drain()
        async with self._turn:
            if self._mirror is not None:
                self._mirror.close()
                self._mirror = None
        if self._timer is not None:
            self._timer.cancel()
        if self._lock_file is not None:
            self._lock_file.close()

    async def _ask(self, orders: Sequence[Order] | None, *, drain: bool = False) -> Sequence[Verdict]:
        async with self._turn:
            mirror = self._mirror
            if mirror is None:
                raise BooksAway
            try:
                verdicts = await self._carry_out_all(mirror, orders, drain)
            except Exception as error:  # whatever it was, the tally may be ahead of the file
                logger.exception("the books could not be written")
                self._stale = True
                with suppress(sqlite3.Error):
                    mirror.roll_back()  # or other writers would find the file locked until the next order
                raise BooksAway from error
        if self._backlog and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DRAIN_AFTER, self._drain_soon)
        return verdicts

    async def _carry_out_all(
        self, mirror: Mirror, orders: Sequence[Order] | None, drain: bool
    ) -> Sequence[Verdict]:
        if self._synchronous == "NORMAL":
            try:
                return self._transact(mirror, orders, drain=drain)
            except Busy:
                self._stale = True
        return await _in_thread(partial(self._transact, mirror, orders, drain=drain, patient=True))

    async def _checkpoint(self) -> None:
        self._drained = 0
        if self._mirror is not None:
            with suppress(sqlite3.Error):  # the log is only longer until the next one
                await _in_thread(self._mirror.checkpoint)

    def _drain_soon(self) -> None:
        self._timer = None
        self._draining = asyncio.get_running_loop().create_task(self._drain_quietly())

    async def _drain_quietly(self) -> None:
        with suppress(BooksAway):  # logged already; the entries stay where they are until the next drain
            await self.drain()
        if self._drained >= CHECKPOINT_AT:
            await self._checkpoint()

    def _take_over(self, mirror: Mirror) -> None:
        self._restore(mirror)
        for held in self.tally.holds.values():
            held.lease_until_ms = 0
        self._transact(mirror, None, patient=True)

    def _transact(
        self, mirror: Mirror, orders: Sequence[Order] | None, *, drain: bool = False, patient: bool = False
    ) -> Sequence[Verdict]:
        mirror.be_patient(patient)
        if self._stale:
            self._restore(mirror)
        now_ms = round(self._clock.now() * 1000)
        if orders is None:
            verdicts = self._sweep(mirror, now_ms)
        else:
            changes = Changes()
            verdicts = [self._carry_out(order, changes, mirror, now_ms) for order in orders]
            if changes.holds:
                mirror.put(changes.holds.values(), OPEN)
            rows, straight = changes.ended()
            if rows:
                mirror.put_closed(rows)
            self._backlog += rows + straight
            if drain or straight or changes.unusual or len(self._backlog) >= DRAIN_AT:
                self._drain(mirror, changes.corrections)
        mirror.commit()
        mirror.free(self._freed)
        self._freed.clear()
        return verdicts

    def _carry_out(self, order: Order, changes: Changes, mirror: Mirror, now_ms: int) -> Verdict:
        if not is_countable(order):
            return HOPELESS
        if isinstance(order, Settlement) and order.opens:
            verdict, held = self.tally.take(order, now_ms)
            if held is not None:
                changes.taken.append(Closed(held, order.tokens))
            return verdict
        if isinstance(order, Settlement):
            self._settle(order, changes, mirror, now_ms)
            return _DONE
        verdict, claim = _DONE, None
        if isinstance(order, Hold):
            verdict, claim = self.claims.admit(order, self.tally, now_ms)
        else:
            self.tally.renew(order.id, now_ms)
        if claim is not None:
            mirror.put_claim(claim)
        held = self.tally.holds.get(order.id)
        if held is not None and verdict.refusal is None and verdict.claimed is None:
            changes.holds[held.id.int] = held
        return verdict

    def _settle(self, order: Settlement, changes: Changes, mirror: Mirror, now_ms: int) -> None:
        identifier = order.entry.id
        held = self.tally.holds.get(identifier) or self.tally.swept.get(identifier)
        settled = self.tally.settle(order, now_ms)
        claim = self.claims.settle(order)
        if claim is not None:
            mirror.put_claim(claim)
        if held is not None and settled.entry is order.entry:
            held.skeleton = order.entry
            changes.closed.append(Closed(held, order.tokens))
            changes.holds.pop(identifier.int, None)
        elif held is not None:
            mirror.put_closed([Closed(held, order.tokens)])
            changes.corrections.append(settled.entry)
            self._freed.append(identifier)
            changes.unusual = True
        elif self._is_news(order, changes) and mirror.append(settled.entry):
            self.tally.spend(order.hold, uncovered_amounts(order), now_ms)
            changes.unusual = True

    def _is_news(self, order: Settlement, changes: Changes) -> bool:
        """Whether a settlement without a hold is to be written: nobody gave up, and nobody wrote it yet."""
        waiting = (*self._backlog, *changes.closed, *changes.taken)
        return not order.gives_back and all(one.held.id != order.entry.id for one in waiting)

    def _sweep(self, mirror: Mirror, now_ms: int) -> list[Verdict]:
        over = self.tally.expire(now_ms)
        for held in over:
            held.lease_until_ms = now_ms
        if over:
            mirror.put(over, SWEPT)
        counters, forgotten = self.tally.forget(now_ms)
        self._freed += forgotten
        if over_claims := self.claims.forget(now_ms):
            mirror.drop_claims(over_claims)
        if over or counters or self._backlog:
            self._drain(mirror, [held.skeleton for held in over], counters)
        return [_DONE] * len(over)

    def _drain(self, mirror: Mirror, entries: Sequence[Entry], old: Sequence[Counter] = ()) -> None:
        waiting = [one.held.skeleton for one in self._backlog]
        mirror.drain([*waiting, *entries], self.tally.dirty, old)
        self._freed += [entry.id for entry in waiting]
        self._drained += len(waiting)
        self._backlog.clear()
        self.tally.dirty.clear()

    def _restore(self, mirror: Mirror) -> None:
        """Back to what the file says: when it is opened, and after a transaction that failed."""
        mirror.roll_back()
        kept = mirror.load()
        tally = Tally(lease_ms=self.tally.lease_ms)
        tally.restore(kept.counters, [*kept.open, *(one.held for one in kept.closed)], kept.swept)
        for held, tokens in kept.closed:
            tally.close(held.id, tokens=tokens, nano=held.skeleton.charge_nano)
        self.tally = tally
        self.claims.kept = {claim.key: claim for claim in kept.claims}
        self._backlog = kept.closed
        self._freed.clear()
        self._stale = False


_DONE = Verdict()


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    """Run in a thread, and see it to its end even if the caller is cancelled: it has the connection."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
