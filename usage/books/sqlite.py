"""The embedded books: SQLite, one writer thread, one commit for all who wait.

The arithmetic is the engine's `Tally`, kept in memory and mirrored to the file in the same
transaction that appends to the ledger. What `post` returned is in the file: it survives the death
of the process (`synchronous=NORMAL`) or also that of the machine (`FULL`).
"""

import asyncio
import fcntl
import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import msgspec

from gateway.accounts import Amounts, Hold, Order, Renewal, Settlement, Verdict
from gateway.errors import BooksAway
from gateway.ports import Clock
from gateway.tally import Tally
from usage.books.mirror import Changes, Mirror

logger = logging.getLogger(__name__)

_Job = tuple[Sequence[Order] | None, "asyncio.Future[Sequence[Verdict]]"]
_FAILURES = (sqlite3.Error, msgspec.MsgspecError)


class BooksTaken(RuntimeError):
    """Another process has these books open: several processes need Redis (`REDIS_URL`)."""


class SqliteBooks:
    """Accounts, holds and ledger of a gateway that is one process."""

    def __init__(
        self, path: Path, *, clock: Clock, lease_ms: int = 60_000, synchronous: str = "NORMAL"
    ) -> None:
        self.path = path
        self.tally = Tally(lease_ms=lease_ms)
        self._clock = clock
        self._synchronous = synchronous
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock: IO[str] | None = None
        self._stale = False

    @property
    def is_open(self) -> bool:
        """Whether orders are taken."""
        return self._thread is not None and self._thread.is_alive()

    async def open(self) -> None:
        """Take the books over. Holds found open belonged to a process that is gone: they are swept now."""
        self._lock = _lock_beside(self.path)
        loop = asyncio.get_running_loop()
        mirror = await asyncio.to_thread(Mirror, self.path, self._synchronous)
        await asyncio.to_thread(self._take_over, mirror)
        self._thread = threading.Thread(target=self._work, args=(mirror, loop), name="books", daemon=True)
        self._thread.start()

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Carry out orders; they are committed when this returns."""
        return await self._ask(orders)

    async def sweep(self) -> int:
        """Turn holds whose lease has ended into unsettled entries."""
        return len(await self._ask(None))

    async def close(self) -> None:
        """Finish what is queued and let go of the file."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        if self._lock is not None:
            self._lock.close()

    async def _ask(self, orders: Sequence[Order] | None) -> Sequence[Verdict]:
        if not self.is_open:
            raise BooksAway
        future: asyncio.Future[Sequence[Verdict]] = asyncio.get_running_loop().create_future()
        self._jobs.put((orders, future))
        return await future

    def _take_over(self, mirror: Mirror) -> None:
        self.tally.restore(*mirror.load())
        for held in self.tally.holds.values():
            held.lease_until_ms = 0
        self._transact(mirror, [None])

    def _work(self, mirror: Mirror, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            while not self._jobs.empty():
                if (more := self._jobs.get()) is None:
                    self._jobs.put(None)
                    break
                jobs.append(more)
            results: list[Sequence[Verdict]] = []
            failure: Exception | None = None
            try:
                results = self._transact(mirror, [orders for orders, _ in jobs])
            except _FAILURES as error:
                logger.exception("the books could not be written")
                failure = error
                self._stale = True
            loop.call_soon_threadsafe(_deliver, jobs, results, failure)
        mirror.close()

    def _transact(self, mirror: Mirror, batches: list[Sequence[Order] | None]) -> list[Sequence[Verdict]]:
        if self._stale:
            self._reload(mirror)
        now_ms = round(self._clock.now() * 1000)
        changes = Changes()
        results: list[Sequence[Verdict]] = [
            self._sweep(changes, now_ms)
            if orders is None
            else [self._carry_out(order, changes, mirror, now_ms) for order in orders]
            for orders in batches
        ]
        dirty = self.tally.dirty
        if changes or dirty or mirror.is_open():
            mirror.write(changes, dirty)
            dirty.clear()
        return results

    def _carry_out(self, order: Order, changes: Changes, mirror: Mirror, now_ms: int) -> Verdict:
        if isinstance(order, Settlement):
            self._settle(order, changes, mirror, now_ms)
            return Verdict()
        verdict = self.tally.admit(order, now_ms) if isinstance(order, Hold) else Verdict()
        if isinstance(order, Renewal):
            self.tally.renew(order.id, now_ms)
        held = self.tally.holds.get(order.id)
        if held is not None and verdict.refusal is None:
            changes.holds[held.id] = held
        return verdict

    def _settle(self, order: Settlement, changes: Changes, mirror: Mirror, now_ms: int) -> None:
        settled = self.tally.settle(order, now_ms)
        if settled.known:
            changes.entries.append(settled.entry)
            changes.close(order.entry.id)
        elif mirror.append(settled.entry):
            spent = Amounts(requests=1, tokens=order.tokens, nano=settled.entry.charge_nano)
            self.tally.spend(order.hold, spent, now_ms)

    def _sweep(self, changes: Changes, now_ms: int) -> list[Verdict]:
        over = self.tally.expire(now_ms)
        for held in over:
            held.lease_until_ms = now_ms
            changes.swept.append(held)
            changes.entries.append(held.skeleton)
        counters, holds = self.tally.forget(now_ms)
        changes.forgotten.extend(counters)
        changes.closed.extend(holds)
        return [Verdict()] * len(over)

    def _reload(self, mirror: Mirror) -> None:
        """After a failed transaction: back to what the file says."""
        mirror.roll_back()
        fresh = Tally(lease_ms=self.tally.lease_ms)
        fresh.restore(*mirror.load())
        self.tally = fresh
        self._stale = False


def _deliver(jobs: list[_Job], results: list[Sequence[Verdict]], failure: Exception | None) -> None:
    for index, (_, future) in enumerate(jobs):
        if future.cancelled():
            continue
        if failure is None:
            future.set_result(results[index])
        else:
            away = BooksAway()
            away.__cause__ = failure
            future.set_exception(away)


def _lock_beside(path: Path) -> IO[str]:
    lock = path.with_name(f"{path.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise BooksTaken(BooksTaken.__doc__) from error
    return lock
