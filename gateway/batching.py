"""Orders to the books travel together: whatever callers ask while one post is under way makes up the next.

The teller owns its awaits. A caller that leaves takes nobody along, and one that leaves while its
hold is being decided has that hold closed again.
"""

import asyncio
import logging
from collections.abc import Awaitable

from gateway.accounts import Hold, Order, Renewal, Settlement, Verdict
from gateway.entry import abandoned_entry
from gateway.errors import BooksAway
from gateway.loops import LoopOf
from gateway.ports import Books

logger = logging.getLogger(__name__)

_Waiting = tuple[Order, "asyncio.Future[Verdict]", bool]
"""An order, who waits for it, and whether what it opens is closed again should they have left."""


class Teller:
    """The one who takes orders to the books."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self._waiting: list[_Waiting] = []
        self._pump: asyncio.Task[None] | None = None
        self._loop = LoopOf()

    async def admit(self, hold: Hold) -> Verdict:
        """Ask for a new hold; if the caller leaves meanwhile, the hold is given back."""
        future = self._enqueue(hold, opens=True)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None and future.result().refusal is None:
                self._give_back(hold)
            raise

    def top_up(self, hold: Hold) -> Awaitable[Verdict]:
        """Raise a hold for a further attempt; it is closed with the call."""
        return self._enqueue(hold)

    def settle(self, settlement: Settlement) -> Awaitable[Verdict]:
        """Close a hold; the order goes through even if nobody waits for it."""
        return self._enqueue(settlement)

    def renew(self, renewals: list[Renewal]) -> list["asyncio.Future[Verdict]"]:
        """Extend leases."""
        return [self._enqueue(renewal) for renewal in renewals]

    async def drain(self) -> None:
        """Wait until every order so far has been carried out."""
        if self._pump is not None:
            await asyncio.wait([self._pump])

    def _enqueue(self, order: Order, *, opens: bool = False) -> "asyncio.Future[Verdict]":
        loop = self._loop()
        future: asyncio.Future[Verdict] = loop.create_future()
        self._waiting.append((order, future, opens))
        if self._pump is None:
            self._pump = loop.create_task(self._carry())
        return future

    async def _carry(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever is ready in this turn of the loop comes along
            batch, self._waiting = self._waiting, []
            try:
                verdicts = await self.books.post([order for order, _, _ in batch])
            except BooksAway as error:
                _fail(batch, error)
            except Exception as error:
                logger.exception("the books failed in a way they do not know")
                _fail(batch, BooksAway(), error)
            else:
                for waiting, verdict in zip(batch, verdicts, strict=True):
                    self._deliver(*waiting, verdict)
        self._pump = None

    def _deliver(
        self, order: Order, future: "asyncio.Future[Verdict]", opens: bool, verdict: Verdict
    ) -> None:
        if not future.cancelled():
            future.set_result(verdict)
        elif opens and isinstance(order, Hold) and verdict.refusal is None:
            self._give_back(order)

    def _give_back(self, hold: Hold) -> None:
        self._enqueue(Settlement(hold=hold, entry=abandoned_entry(hold.skeleton), tokens=0))


def _fail(batch: list[_Waiting], error: BooksAway, cause: Exception | None = None) -> None:
    error.__cause__ = cause or error.__cause__
    for _, future, _ in batch:
        if not future.cancelled():
            future.set_exception(error)
            future.exception()  # a caller who left does not make the loop complain
