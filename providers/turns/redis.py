"""The turnstile of all processes, on Redis: there the script that frees a place picks who is next.

While Redis is away each process judges by itself, with a turnstile of its own. Who waits moves over and back.
Places have leases, so that those of a process that died come back; `tend` renews them.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from msgspec import Struct

from gateway.gate import Refused, fullness
from gateway.memory import SystemClock
from gateway.ports import Clock
from gateway.racing import done_within
from gateway.turns import Quota, QuotaUsedUp, Turn
from gateway.turnstile import MemoryTurnstile, Seen, SentAway, refusal_of
from providers.turns import orders
from providers.turns.clerk import Clerk, Future, Terms, TurnsAway
from providers.turns.news import News
from providers.turns.orders import FULL, GONE, GRANTED, REFUSED, WAITS, Answer, Figures, Order

LOOK_EVERY = 1.0
"""Seconds between looks at what became of those that wait."""
_LOOKS_A_LEASE = 3
_RENEWALS_A_LEASE = 4
_FIGURES_LAST = 5.0
_FIGURES_AT_MOST = _OWED_AT_MOST = 10_000

logger = logging.getLogger(__name__)


class _Waiting(Struct, eq=False):
    quota: Quota
    future: asyncio.Future[Answer | None]
    """None: places are given out elsewhere."""


class _Place(Struct, eq=False):
    quota: Quota
    turn: Turn
    window: int
    held: int
    is_fresh: bool
    """It has a waiter's short lease still."""


class RedisTurnstile:
    """Shares quotas among the calls of all processes on one Redis."""

    def __init__(
        self, url: str, *, clock: Clock | None = None, terms: Terms | None = None, reply_timeout: float = 1.0
    ) -> None:
        self.is_away = False
        """Whether this process judges by itself."""
        self._clock = clock or SystemClock()
        terms = terms or Terms()
        self._look_every = min(LOOK_EVERY, terms.waiting_lease_ms / 1000 / _LOOKS_A_LEASE)
        self._looks_a_renewal = max(1, int(terms.lease_ms / 1000 / _RENEWALS_A_LEASE / self._look_every))
        self._local = MemoryTurnstile(self._clock)
        self._clerk = Clerk(
            url,
            terms=terms,
            clock=clock,
            reply_timeout=reply_timeout,
            heard=self._note,
            lost=self._go_alone,
        )
        self.news = News(url, clock=self._clock, let_in=self._let_in)
        self._waiting: dict[UUID, _Waiting] = {}
        self._places: dict[UUID, _Place] = {}
        self._own: Counter[str] = Counter()
        self._owed: dict[UUID, tuple[Quota, Order]] = {}
        self._figures: dict[str, Figures] = {}
        self._looks = 0

    async def enter(
        self, quota: Quota, turn: Turn, *, wait: float, most_waiting: int, seen: Seen | None = None
    ) -> float:
        """Take a place, wherever places are given out now."""
        if not quota.is_limited:
            return 0.0
        began, once = self._clock.monotonic(), _Once(seen)
        left = wait
        while True:
            try:
                if self.is_away:
                    await self._local.enter(quota, turn, wait=left, most_waiting=most_waiting, seen=once)
                    place = _Place(quota, turn, orders.ELSEWHERE, 0, is_fresh=False)
                else:
                    place = await self._enter(quota, turn, left, most_waiting, once)
                break
            except (TurnsAway, SentAway):
                left = max(0.0, wait - (self._clock.monotonic() - began))
        self._places[turn.id] = place
        self._own[quota.id] += 1
        return self._clock.monotonic() - began if once.told else 0.0

    async def leave(self, quota: Quota, turn: Turn, *, tokens: int) -> None:
        """Give the place back; Redis hears of it soon, and who calls does not wait for that."""
        place = self._places.pop(turn.id, None)
        if place is None:
            return
        self._own[quota.id] -= 1
        if not self._own[quota.id]:
            del self._own[quota.id]
        await self._local.leave(quota, turn, tokens=tokens)
        order = orders.leaving(turn.id, window=place.window, held=place.held, tokens=tokens)
        self._send_off(quota, turn.id, order)

    def busy(self, quota: Quota) -> float:
        """How full it is, by what Redis said last."""
        if self.is_away:
            return self._local.busy(quota)
        places, requests, tokens = self._own[quota.id], 0, 0
        figures, now = self._figures.get(quota.id), self._clock.monotonic()
        if figures is not None and now < figures.heard_at + _FIGURES_LAST:
            places = max(places, figures.places)
        if figures is not None and now < figures.minute_ends_at:
            requests, tokens = figures.requests, figures.tokens
        return fullness(quota, places=places, requests=requests, tokens=tokens)

    async def tend(self) -> None:
        """Hear who was let in, look for what was not heard, renew leases, and notice Redis coming back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.news.listen())
            group.create_task(self._go_on())

    async def close(self) -> None:
        """Hang up, once all that was asked is done."""
        await self._clerk.close()

    async def _enter(self, quota: Quota, turn: Turn, wait: float, most_waiting: int, seen: Seen) -> _Place:
        until = self._clock.monotonic() + wait
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[turn.id] = _Waiting(quota, future)
        order = orders.entering(turn, wait=wait, most_waiting=most_waiting, channel=self.news.channel)
        try:
            answer: Answer = await self._clerk.ask(quota, order)
            if answer[0] in (REFUSED, FULL):
                raise refusal_of(Refused(answer[1], is_full=answer[0] == FULL))
            if is_late := answer[0] == WAITS:
                seen(answer[1])
                answer = await self._wait(waiting, turn, until)
        except QuotaUsedUp:
            raise
        except BaseException:  # whoever waited is gone, or moves on: neither line nor place is to know it
            self._send_off(quota, turn.id, orders.giving_up(turn))
            raise
        finally:
            del self._waiting[turn.id]
        return _Place(quota, turn, answer[1], answer[2], is_fresh=is_late)

    async def _wait(self, waiting: _Waiting, turn: Turn, until: float) -> Answer:
        """Until Redis says that there is a place; at the end of the time it is asked whether there is one."""
        left = until - self._clock.monotonic()
        if not await done_within(waiting.future, left, self._clock):
            answer: Answer = await self._clerk.ask(waiting.quota, orders.withdrawing(turn))
            if answer[0] == GONE:
                raise QuotaUsedUp(retry_after=answer[1] / 1000)
            return answer
        told = waiting.future.result()
        if told is None:
            raise TurnsAway
        return told

    def _let_in(self, identifier: UUID, window: int, held: int) -> None:
        waiting = self._waiting.get(identifier)
        if waiting is not None and not waiting.future.done():
            waiting.future.set_result([GRANTED, window, held])

    def _send_off(self, quota: Quota, identifier: UUID, order: Order) -> None:
        if self.is_away:
            self._owe(quota, identifier, order)
        else:
            self._clerk.ask(quota, order).add_done_callback(partial(self._sent_off, quota, identifier, order))

    def _sent_off(self, quota: Quota, identifier: UUID, order: Order, done: Future) -> None:
        if done.exception() is not None:
            self._owe(quota, identifier, order)

    def _owe(self, quota: Quota, identifier: UUID, order: Order) -> None:
        if len(self._owed) < _OWED_AT_MOST:  # the lease frees what is not told
            self._owed[identifier] = (quota, order)

    def _note(self, quota: Quota, told: Sequence[int]) -> None:
        if len(self._figures) >= _FIGURES_AT_MOST:
            self._figures.clear()
        places, requests, tokens, left_ms = told
        now = self._clock.monotonic()
        self._figures[quota.id] = Figures(places, requests, tokens, now, now + left_ms / 1000)

    async def _go_on(self) -> None:
        while True:
            await self._clock.sleep(self._pause())
            try:
                await (self._come_back() if self.is_away else self._look())
            except TurnsAway:
                continue  # logged where it happened; the next look tries again
            except Exception:  # if this loop ended, the leases of all places would
                logger.exception("places could not be tended; it is tried again")

    def _pause(self) -> float:
        """Until the next look; a new minute lets in those that wait for it at once."""
        now, waiting = self._clock.monotonic(), {one.quota.id for one in self._waiting.values()}
        ends = [self._figures[name].minute_ends_at for name in waiting if name in self._figures]
        return min([self._look_every, *(end - now + 0.002 for end in ends if end > now)])

    async def _look(self) -> None:
        self._looks += 1
        waiting: dict[Quota, list[UUID]] = defaultdict(list)
        taken: dict[Quota, list[UUID]] = defaultdict(list)
        for identifier, one in self._waiting.items():
            if not one.future.done():
                waiting[one.quota].append(identifier)
        for identifier, place in self._places.items():
            if place.is_fresh or self._looks % self._looks_a_renewal == 0:
                taken[place.quota].append(identifier)
                place.is_fresh = False
        quotas = waiting.keys() | taken.keys()
        asked = [self._clerk.ask(one, _tending(waiting.get(one), taken.get(one))) for one in quotas]
        for quota, fates in zip(quotas, await asyncio.gather(*asked), strict=True):
            for identifier, fate in zip(waiting[quota], fates, strict=True):
                self._hear_fate(identifier, fate)

    def _hear_fate(self, identifier: UUID, fate: Answer) -> None:
        waiting = self._waiting.get(identifier)
        if waiting is None or waiting.future.done() or fate[0] == WAITS:
            return
        waiting.future.set_result(fate if fate[0] == GRANTED else None)

    def _go_alone(self) -> None:
        """Redis is away: places that are known count here from now on, and who waits comes over."""
        if self.is_away:
            return
        self.is_away = True
        logger.warning("quotas of providers are judged by this process alone for now")
        for place in self._places.values():
            self._local.occupy(place.quota, place.turn)
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_result(None)

    async def _come_back(self) -> None:
        """Tell Redis of places that are taken, and of those that are free; then all wait there again."""
        await self._clerk.reach()
        self.is_away = False
        self.news.hear_anew()
        logger.warning("quotas of providers are shared again")
        taken: dict[Quota, list[UUID]] = defaultdict(list)
        for identifier, place in self._places.items():
            taken[place.quota].append(identifier)
        told = [self._clerk.ask(quota, _tending(None, places)) for quota, places in taken.items()]
        owed, self._owed = self._owed, {}
        for identifier, (quota, order) in owed.items():
            if identifier not in self._places:
                self._send_off(quota, identifier, order)
        self._local.send_away()
        await asyncio.gather(*told)


def _tending(waiting: list[UUID] | None, taken: list[UUID] | None) -> Order:
    return orders.tending([one.hex for one in waiting or ()], [one.hex for one in taken or ()])


class _Once:
    """Tells of the first wait alone: whoever moves over has been told of a place in line."""

    def __init__(self, seen: Seen | None) -> None:
        self.told = False
        self._seen = seen

    def __call__(self, position: int) -> None:
        if not self.told and self._seen is not None:
            self._seen(position)
        self.told = True
