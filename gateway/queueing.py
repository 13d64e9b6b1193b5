"""Calls that wait for their tenant's own limits, in this process.

Those that one account refused stand in one line: higher priorities first, then who came first. Only the one
in front asks the books again, when a call of that account settles here or after a pause. So the books hear of
a line no more often than of a single call, however long it is.
"""

import asyncio
from bisect import insort
from collections.abc import Awaitable, Callable, Iterable
from random import Random

from gateway.accounts import Account, Refusal, Verdict
from gateway.ports import Clock
from gateway.racing import done_within
from gateway.turns import QueueFull

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Seconds between two tries of a line, doubling; the last half of each is chance."""

Retry = Callable[[], Awaitable[Verdict]]


class _Guest:
    def __init__(self, priority: int, arrival: int) -> None:
        self.place = (-priority, arrival)
        self.alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __lt__(self, other: "_Guest") -> bool:
        return self.place < other.place

    def wake(self) -> None:
        """Have it look whether it is its turn."""
        if not self.alarm.done():
            self.alarm.set_result(None)


class _Line:
    """Those that one account refused."""

    def __init__(self) -> None:
        self.guests: list[_Guest] = []
        self.is_asking = False
        self.is_new_chance = False
        """A call has settled since the one in front began to ask."""
        self.pause = FIRST_PAUSE
        self.next_try = 0.0
        self.refused = Verdict()

    def note(self, refused: Verdict, refusal: Refusal, now: float, chance: float) -> None:
        """It was refused once more: the next try is after a pause."""
        self.refused = refused
        seconds = min(max(refusal.retry_ms, 1) / 1000, self.pause * (0.5 + chance / 2))
        self.next_try = now if self.is_new_chance else now + seconds
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def encourage(self, now: float) -> None:
        """Something is free now: whoever is in front may ask at once."""
        self.pause, self.next_try = FIRST_PAUSE, now
        self.wake()

    def wake(self) -> None:
        """Have the one in front look at what has changed."""
        if self.guests:
            self.guests[0].wake()

    def may_ask(self, guest: _Guest) -> bool:
        """Whether it is the one that asks."""
        return self.guests[0] is guest and not self.is_asking


class LocalQueue:
    """Lines of calls, by the account that refused them."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._lines: dict[str, _Line] = {}
        self._arrivals = 0

    async def wait_turn(
        self,
        refused: Verdict,
        *,
        priority: int,
        until: float,
        retry: Retry,
        most_waiting: int = 100,
        seen: Callable[[int], None] | None = None,
    ) -> Verdict:
        """The first verdict of `retry` that is no refusal, or the newest refusal once `until` has passed.

        `refused` is what the books have said, and `until` is of the clock that only goes forward. Where
        another account refuses instead, the call goes over to that one's line. `QueueFull` if a line is as
        long as it may be. `seen` hears the place in each line.
        """
        while (refusal := refused.refusal) is not None and self._clock.monotonic() < until:
            line = self._line(refused, refusal, most_waiting)
            self._arrivals += 1
            guest = _Guest(priority, self._arrivals)
            insort(line.guests, guest)
            try:
                if seen is not None:
                    seen(line.guests.index(guest) + 1)
                verdict = await self._stand(line, guest, refusal.account.id, until, retry)
            finally:
                line.guests.remove(guest)
                line.wake()
                if not line.guests:
                    del self._lines[refusal.account.id]
            refused = verdict
        return refused

    def settled(self, accounts: Iterable[Account]) -> None:
        """A call of these accounts has settled here: whoever is in front of a line may try again."""
        for account in accounts if self._lines else ():
            line = self._lines.get(account.id)
            if line is not None:
                line.is_new_chance = line.is_asking
                line.encourage(self._clock.monotonic())

    def _line(self, refused: Verdict, refusal: Refusal, most_waiting: int) -> _Line:
        """The line of an account, with what the books said of it last."""
        line = self._lines.get(refusal.account.id) or _Line()
        if len(line.guests) >= most_waiting:
            raise QueueFull(retry_after=refusal.retry_ms / 1000)
        if line.guests:
            line.refused = refused
        else:
            line.note(refused, refusal, self._clock.monotonic(), self._random.random())
        self._lines[refusal.account.id] = line
        return line

    async def _stand(
        self, line: _Line, guest: _Guest, account_id: str, until: float, retry: Retry
    ) -> Verdict:
        """In line until something else is to be done than to ask this account again."""
        while (now := self._clock.monotonic()) < until:
            wakes = min(line.next_try, until) if line.may_ask(guest) else until
            if now < wakes:
                guest.alarm = asyncio.get_running_loop().create_future()
                await done_within(guest.alarm, wakes - now, self._clock)
                continue
            verdict = await self._ask(line, retry)
            refusal, now = verdict.refusal, self._clock.monotonic()
            if refusal is None or refusal.account.id != account_id:
                line.encourage(now)
                return verdict
            line.note(verdict, refusal, now, self._random.random())
            line.wake()  # who has come to the front meanwhile
        return line.refused

    async def _ask(self, line: _Line, retry: Retry) -> Verdict:
        line.is_asking, line.is_new_chance = True, False
        try:
            return await retry()
        finally:
            line.is_asking = False
