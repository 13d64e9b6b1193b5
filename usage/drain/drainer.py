"""The drainer: from the journal to the ledger, over and over, whatever is away meanwhile.

1. Read lines, those first that were in hand when something failed.
2. Commit them to the ledger. What is refused is halved until the bad line stands alone.
3. Take them out of the journal, and move the mark that says how far it is drained.

A crash anywhere in between makes it do steps again, and rows that are there are not added twice.
It is blocking code in one thread, which costs half the CPU of awaiting each server. A second thread
reads the next lines while PostgreSQL works on these.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from usage.drain.failures import Away, Forgotten, Refused
from usage.drain.journal import Journal, Waiting
from usage.drain.ledger import Ledger

UPKEEP_EVERY = 86_400.0
"""Seconds between two looks at what the ledger needs ahead of time."""

_UPKEEP_AGAIN = 3_600.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 2.0
_UNKNOWN_FIELD = "0A000"
"""The SQLSTATE of a feature that is not there: a line of a version that this one does not know."""

logger = logging.getLogger(__name__)


class Drainer:
    """Moves lines until it is told to stop."""

    def __init__(
        self,
        *,
        journal: Journal,
        ledger: Ledger,
        upkeep: Callable[[], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._upkeep = upkeep
        self._monotonic = monotonic
        self._upkeep_at = monotonic()
        self._pause = _SHORTEST_PAUSE
        self._outage = ""
        self._stopping = False
        self._stops: SimpleQueue[None] = SimpleQueue()
        self.rows = 0
        """How many rows it added to the ledger."""
        self.set_aside = 0
        """How many lines could not be rows."""

    def run(self) -> None:
        """Move lines until told to stop; what is in hand then is finished."""
        while not self._stopping:
            try:
                self._begin()
                self._pump(self._journal.read, goes_on=lambda _: not self._stopping)
            except Away as away:
                self._wait(away)

    def stop(self) -> None:
        """Let `run` end, also where it waits; takes no lock, so that a signal may call it at any moment."""
        self._stopping = True
        self._stops.put(None)

    def run_once(self) -> None:
        """Move all that is there, also what other drainers have in hand; `Away` comes out of it."""
        self._begin()
        self._journal.take_over_all()
        self._pump(partial(self._journal.read, block_ms=None), goes_on=bool)

    def close(self) -> None:
        """Let go of both servers."""
        self._ledger.close()
        self._journal.close()

    def _begin(self) -> None:
        self._ledger.open()
        self._journal.join()
        self._keep_up()

    def _pump(self, read: Callable[[], list[Waiting]], goes_on: Callable[[list[Waiting]], bool]) -> None:
        with ThreadPoolExecutor(1) as reader:
            ahead: Future[list[Waiting]] | None = reader.submit(read)
            while ahead is not None:
                batch = ahead.result()
                ahead = reader.submit(read) if goes_on(batch) else None
                self._move(batch)
                self._keep_up()

    def _move(self, batch: Sequence[Waiting]) -> None:
        lines = []
        for entry in batch:
            if entry.line is None:
                self._put_aside(entry, _UNKNOWN_FIELD)
            else:
                lines.append((entry, entry.line))
        if lines:
            self._append(lines)
        self._recover()

    def _append(self, lines: Sequence[tuple[Waiting, bytes]]) -> None:
        try:
            self.rows += self._ledger.append([line for _, line in lines])
        except Refused as refused:
            if len(lines) == 1:
                self._put_aside(lines[0][0], refused.sqlstate)
                return
            middle = len(lines) // 2
            self._append(lines[:middle])
            self._append(lines[middle:])
        else:
            self._journal.finish([entry for entry, _ in lines])

    def _put_aside(self, entry: Waiting, sqlstate: str) -> None:
        self._journal.set_aside(entry, sqlstate)
        self.set_aside += 1
        logger.error(
            "entry %s of shard %d cannot be a row and is set aside: SQLSTATE %s",
            entry.id.decode(),
            entry.shard,
            sqlstate,
        )

    def _keep_up(self) -> None:
        if self._monotonic() < self._upkeep_at:
            return
        self._upkeep_at = self._monotonic() + UPKEEP_EVERY
        try:
            self._upkeep()
        except Exception:  # rows have a place without it, so lines go on
            logger.exception("what the ledger needs ahead of time could not be made")
            self._upkeep_at = self._monotonic() + _UPKEEP_AGAIN

    def _wait(self, away: Away) -> None:
        outage = str(away)
        if outage != self._outage:
            level = logging.WARNING if isinstance(away, Forgotten) else logging.ERROR
            logger.log(level, "the drain waits: %s", outage)
            self._outage = outage
        with suppress(Empty):
            self._stops.get(timeout=self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _recover(self) -> None:
        if self._outage:
            logger.info("the drain goes on")
        self._outage = ""
        self._pause = _SHORTEST_PAUSE
