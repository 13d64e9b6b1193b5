"""Orders to the books travel together: whatever callers ask while one post is under way makes up the next.

The teller owns its awaits. A caller that leaves takes nobody along, and one that leaves while its
hold is being decided has that hold closed again. While the books are away the teller alone asks
again, with the same ids, until the time of each order is over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from uuid import UUID

from gateway.accounts import Hold, Order, Renewal, Settlement, Verdict, past_limits
from gateway.entry import abandoned_entry
from gateway.errors import BooksAway
from gateway.loops import LoopOf
from gateway.ports import Books, Clock, Spill

HOLD_SECONDS = 1.0
"""How long a call waits for books that are away before it is refused: callers have better things to try."""
SETTLE_SECONDS = 3.0
"""How long an answer waits for books that are away before its entry goes to disk: callers give up soon."""
CLOSE_SECONDS = 60.0
"""How long a hold that nobody needs is tried to be closed; later, its lease is over anyway."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5

logger = logging.getLogger(__name__)


_Waiting = tuple[Order, "asyncio.Future[Verdict]", float, bool]
"""An order, who waits for it, until when it is tried, and whether it opens a hold."""


class Teller:
    """The one who takes orders to the books."""

    def __init__(self, books: Books, spill: Spill, clock: Clock) -> None:
        self.books = books
        self._spill = spill
        self._clock = clock
        self.let_in_calls: set[UUID] = set()
        """Those under way that the books have not heard of. An id is here as long as its hold is on disk."""
        self._repeated: set[UUID] = set()
        """Holds that the books may have heard of before."""
        self._waiting: list[_Waiting] = []
        self._pump: asyncio.Task[None] | None = None
        self._loop = LoopOf()

    async def admit(self, hold: Hold) -> Verdict:
        """Ask for a new hold; if the caller leaves meanwhile, the hold is given back."""
        future = self._enqueue(hold, HOLD_SECONDS, opens=True)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._close_again(hold, future.result())
            raise

    async def admit_settled(self, settlement: Settlement) -> Verdict:
        """Open a hold and close it at once: what the call came to was known before it was admitted."""
        return await self._enqueue(settlement, HOLD_SECONDS)

    async def put_by(self, settlement: Settlement) -> None:
        """Keep on disk what the books cannot take now."""
        await self._spill.keep(settlement)

    async def let_in(self, hold: Hold) -> Verdict:
        """Admit without the books: the hold is on disk when this returns, should the process die."""
        hold = past_limits(hold)
        self.let_in_calls.add(hold.id)
        keeping = asyncio.ensure_future(self._spill.keep(hold))
        try:
            await asyncio.shield(keeping)
        except BaseException:  # the disk takes nothing, or the caller leaves: no provider will hear of it
            await asyncio.wait([keeping])
            await self._forget(hold)
            self.give_back(hold)
            raise
        return Verdict()

    def top_up(self, hold: Hold) -> Awaitable[Verdict]:
        """Raise a hold for a further attempt; it is closed with the call."""
        return self._enqueue(hold, HOLD_SECONDS)

    def settle(self, settlement: Settlement, within: float) -> Awaitable[Verdict]:
        """Close a hold; it goes to the books or to the spill, even if nobody waits for it."""
        return self._enqueue(settlement, min(within, SETTLE_SECONDS))

    def renew(self, renewals: list[Renewal]) -> list["asyncio.Future[Verdict]"]:
        """Extend leases."""
        return [self._enqueue(renewal, HOLD_SECONDS) for renewal in renewals]

    def give_back(self, hold: Hold) -> None:
        """Close a hold that no provider heard of, if it was opened at all."""
        closing = Settlement(hold=hold, entry=abandoned_entry(hold.skeleton), tokens=0, gives_back=True)
        self._enqueue(closing, CLOSE_SECONDS)

    async def drain(self) -> None:
        """Wait until every order so far has been carried out."""
        if self._pump is not None:
            await asyncio.wait([self._pump])

    def _enqueue(self, order: Order, within: float, *, opens: bool = False) -> "asyncio.Future[Verdict]":
        loop = self._loop() if self._pump is None else self._pump.get_loop()
        future: asyncio.Future[Verdict] = loop.create_future()
        self._waiting.append((order, future, self._clock.monotonic() + within, opens))
        if self._pump is None:
            self._pump = loop.create_task(self._carry())
        return future

    async def _carry(self) -> None:
        pause = _FIRST_PAUSE
        while self._waiting:
            await asyncio.sleep(0)  # whoever is ready in this turn of the loop comes along
            batch, self._waiting = self._waiting, []
            if await self._post(batch):
                pause = _FIRST_PAUSE
            elif self._waiting:
                await self._clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._pump = None

    async def _post(self, batch: list[_Waiting]) -> bool:
        """Take a batch to the books; whether they took it."""
        try:
            verdicts = await self.books.post([waiting[0] for waiting in batch])
        except BooksAway as error:
            await self._put_off(batch, error)
            return False
        except Exception as error:  # a pump that ends by it would leave all callers waiting for good
            logger.exception("the books failed in a way they do not know")
            for waiting in batch:
                self._fail(waiting, BooksAway(), error)
            return False
        refused = self._hand_out(batch, verdicts)
        if self.let_in_calls:
            carried = zip(batch, verdicts, strict=True)
            await self._forget_settled(waiting[0] for waiting, verdict in carried if not verdict.failed)
        await self._put_off(refused, BooksAway())
        return not refused

    def _hand_out(self, batch: list[_Waiting], verdicts: Sequence[Verdict]) -> list[_Waiting]:
        """Tell those who wait; what the books could not carry out is left."""
        refused: list[_Waiting] = []
        for waiting, verdict in zip(batch, verdicts, strict=True):
            if not verdict.failed:
                self._deliver(waiting, verdict)
            elif verdict.hopeless:
                self._fail(waiting, BooksAway())
            else:
                refused.append(waiting)
        return refused

    def _deliver(self, waiting: _Waiting, verdict: Verdict) -> None:
        order, future, _, opens = waiting
        if opens and isinstance(order, Hold):
            if self._repeated and order.id in self._repeated:
                self._repeated.discard(order.id)
                if verdict.refusal is not None:
                    self.give_back(order)  # it was granted at first, perhaps, and swept since
            if future.cancelled():
                self._close_again(order, verdict)
        if not future.cancelled():
            future.set_result(verdict)

    async def _put_off(self, batch: list[_Waiting], error: BooksAway) -> None:
        """Keep what still has time; nobody knows whether the books heard of it."""
        now = self._clock.monotonic()
        keeping = []
        for waiting in batch:
            order, future, until, opens = waiting
            if opens and future.cancelled() and isinstance(order, Hold):
                self.give_back(order)
            elif now < until:
                self._waiting.append(waiting)
                if opens and isinstance(order, Hold):
                    self._repeated.add(order.id)
            elif isinstance(order, Settlement) and not (order.gives_back or order.opens):
                keeping.append(self._keep(waiting, order))
            else:
                self._fail(waiting, error)
        await asyncio.gather(*keeping)

    async def _keep(self, waiting: _Waiting, settlement: Settlement) -> None:
        """The answer is there and the books are not: its entry is kept on disk, and then it may go out."""
        try:
            await self._spill.keep(settlement)
        except BooksAway as error:
            self._fail(waiting, error)
        else:
            self._deliver(waiting, Verdict())
            await self._forget_settled([settlement])

    def _close_again(self, hold: Hold, verdict: Verdict) -> None:
        if verdict.refusal is None:
            self.give_back(hold)

    def _fail(self, waiting: _Waiting, error: BooksAway, cause: Exception | None = None) -> None:
        order, future, _, opens = waiting
        if opens and isinstance(order, Hold):
            self._repeated.discard(order.id)
        if isinstance(order, Settlement):
            self.let_in_calls.discard(order.hold.id)  # what is on disk is all that is left of it
        error.__cause__ = cause or error.__cause__
        if not future.cancelled():
            future.set_exception(error)
            future.exception()  # a caller who left does not make the loop complain

    async def _forget_settled(self, orders: Iterable[Order]) -> None:
        """What became of these calls is known: if their holds are on disk, they need not be any more."""
        settled = [order.hold for order in orders if isinstance(order, Settlement)]
        await asyncio.gather(*(self._forget(hold) for hold in settled if hold.id in self.let_in_calls))

    async def _forget(self, hold: Hold) -> None:
        await self._spill.forget(hold)
        self.let_in_calls.discard(hold.id)  # and no sooner: a replay that still finds it would open it again
