"""What one quota has room for, and who is let in when: values in, values out.

Minutes are fixed windows of the store's clock. A call that needs more tokens than a minute has takes a whole
one. Nobody overtakes the one who is next, even if a smaller call would still fit: large ones would starve.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from gateway.fairness import QUANTUM, FairQueue
from gateway.turns import Quota, Turn

MINUTE_MS = 60_000
PLACE_FREE_IN_MS = 1_000
"""When it is worth asking again for a place that others have: nobody knows."""

Lack = Literal["", "requests", "tokens", "places"]


class Admitted(Struct, frozen=True, gc=False):
    """It has a place."""


class Waits(Struct, frozen=True, gc=False):
    """It stands in line."""

    position: int


class Refused(Struct, frozen=True, gc=False):
    """It may not wait, or waiting is in vain."""

    retry_ms: int
    is_full: bool = False
    """The tenant has as many in line as it may."""


class Place(Struct, gc=False):
    """Where an attempt that was let in is counted."""

    window: int
    tokens: int


class Gate:
    """The counters of one quota, and the line before it."""

    def __init__(self, *, quantum: int = QUANTUM) -> None:
        self.queue = FairQueue(quantum=quantum)
        self.places: dict[UUID, Place] = {}
        self.window = 0
        self.requests = 0
        self.tokens = 0

    def enter(
        self, quota: Quota, turn: Turn, now_ms: int, *, wait_ms: int, most_waiting: int
    ) -> Admitted | Waits | Refused:
        """Let one in if nobody waits before it, else let it wait; `let_in` is to be called before."""
        self._look_at_clock(now_ms)
        if turn.id in self.places:
            return Admitted()
        lack = self._lack(quota, quota.need_of(turn.tokens))
        if not lack and not self.queue:
            self._admit(quota, turn)
            return Admitted()
        retry_ms = self._retry_ms(lack, now_ms)
        if turn.id in self.queue:
            return Waits(self.queue.position(turn.id))
        if wait_ms <= 0 or (lack == "requests" and wait_ms < retry_ms):
            return Refused(retry_ms)
        if self.queue.waiting_of(turn.tenant_id) >= most_waiting:
            return Refused(retry_ms, is_full=True)
        return Waits(self.queue.add(turn))

    def retry_ms(self, quota: Quota, turn: Turn, now_ms: int) -> int:
        """When it is worth asking again for one that found no place."""
        self._look_at_clock(now_ms)
        return self._retry_ms(self._lack(quota, quota.need_of(turn.tokens)), now_ms)

    def let_in(self, quota: Quota, now_ms: int) -> list[UUID]:
        """Whoever waits and has room now, in turn."""
        self._look_at_clock(now_ms)
        let_in = []
        while turn := self.queue.next():
            if self._lack(quota, quota.need_of(turn.tokens)):
                break
            self.queue.take()
            self._admit(quota, turn)
            let_in.append(turn.id)
        return let_in

    def leave(
        self, quota: Quota, identifier: UUID, now_ms: int, *, tokens: int, unused: bool = False
    ) -> None:
        """Free a place, or leave the line; an unused place counts as no request."""
        self._look_at_clock(now_ms)
        self.queue.remove(identifier)
        place = self.places.pop(identifier, None)
        if place is not None and place.window == self.window:
            self.requests = max(0, self.requests - unused)
            if quota.tpm is not None:
                self.tokens = max(0, self.tokens + tokens - place.tokens)

    def occupy(self, identifier: UUID) -> None:
        """Somebody has a place already, whose request was counted elsewhere."""
        self.places.setdefault(identifier, Place(-1, 0))

    def is_idle(self, now_ms: int) -> bool:
        """Whether a new one would be the same."""
        return not self.places and not self.queue and self.window != now_ms // MINUTE_MS

    def _look_at_clock(self, now_ms: int) -> None:
        window = now_ms // MINUTE_MS
        if window != self.window:
            self.window, self.requests, self.tokens = window, 0, 0

    def _retry_ms(self, lack: Lack, now_ms: int) -> int:
        if lack in ("requests", "tokens"):
            return (self.window + 1) * MINUTE_MS - now_ms
        return PLACE_FREE_IN_MS

    def _lack(self, quota: Quota, need: int) -> Lack:
        if quota.rpm is not None and self.requests >= quota.rpm:
            return "requests"
        if quota.tpm is not None and self.tokens + need > quota.tpm:
            return "tokens"
        if quota.parallel is not None and len(self.places) >= quota.parallel:
            return "places"
        return ""

    def _admit(self, quota: Quota, turn: Turn) -> None:
        need = quota.need_of(turn.tokens)
        self.places[turn.id] = Place(self.window, need)
        self.requests += 1
        self.tokens += need


def fullness(quota: Quota, *, places: int, requests: int, tokens: int) -> float:
    """How much of a quota is taken, from 0 to 1: the fullest of its limits counts."""
    parts = ((places, quota.parallel), (requests, quota.rpm), (tokens, quota.tpm))
    return min(
        1.0, max((taken / most if most else 1.0 for taken, most in parts if most is not None), default=0.0)
    )
