"""The turnstile of one process: for a gateway that is one process, and while the shared one is away."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from gateway.gate import MINUTE_MS, Admitted, Gate, Refused, fullness
from gateway.memory import SystemClock
from gateway.ports import Clock
from gateway.racing import done_within
from gateway.turns import QueueFull, Quota, QuotaUsedUp, Turn

_GATES_AT_MOST = 1_000

Seen = Callable[[int], None]


class SentAway(Exception):
    """Places are given out elsewhere; for whoever waits, never for callers."""


class MemoryTurnstile:
    """Shares quotas among the calls of this process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._gates: dict[str, Gate] = {}
        self._waiting: dict[UUID, asyncio.Future[bool]] = {}
        """Who waits for what: True is a place, False is to look for one elsewhere."""

    async def enter(
        self, quota: Quota, turn: Turn, *, wait: float, most_waiting: int, seen: Seen | None = None
    ) -> float:
        """Take a place."""
        if not quota.is_limited:
            return 0.0
        began = self._clock.monotonic()
        gate = self._gate(quota)
        self._let_in(gate, quota)
        answer = gate.enter(quota, turn, self._now_ms, wait_ms=round(wait * 1000), most_waiting=most_waiting)
        if isinstance(answer, Admitted):
            return 0.0
        if isinstance(answer, Refused):
            raise refusal_of(answer)
        future = self._waiting[turn.id] = asyncio.get_running_loop().create_future()
        try:
            if seen is not None:
                seen(answer.position)
            await self._wait(gate, quota, turn, future, began + wait)
        except BaseException:  # cancelled, refused or sent away: the line and a place are left alike
            gate.leave(quota, turn.id, self._now_ms, tokens=0, unused=True)
            self._let_in(gate, quota)
            raise
        finally:
            del self._waiting[turn.id]
        return self._clock.monotonic() - began

    async def leave(self, quota: Quota, turn: Turn, *, tokens: int) -> None:
        """Give the place back."""
        gate = self._gates.get(quota.id)
        if gate is not None:
            gate.leave(quota, turn.id, self._now_ms, tokens=tokens)
            self._let_in(gate, quota)

    def busy(self, quota: Quota) -> float:
        """How full it is."""
        gate = self._gates.get(quota.id)
        if gate is None:
            return fullness(quota, places=0, requests=0, tokens=0)
        is_now = gate.window == self._now_ms // MINUTE_MS
        requests, tokens = (gate.requests, gate.tokens) if is_now else (0, 0)
        return fullness(quota, places=len(gate.places), requests=requests, tokens=tokens)

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def tend(self) -> None:
        """Nothing here outlives its call, so there is nothing to do."""

    def occupy(self, quota: Quota, turn: Turn) -> None:
        """Count a place that was given out elsewhere."""
        self._gate(quota).occupy(turn.id)

    def send_away(self) -> None:
        """Whoever waits hears `SentAway`."""
        for future in self._waiting.values():
            if not future.done():
                future.set_result(False)

    async def _wait(
        self, gate: Gate, quota: Quota, turn: Turn, future: asyncio.Future[bool], until: float
    ) -> None:
        """Until somebody lets it in; a new minute does that for everyone, whoever looks first."""
        while not future.done():
            left = until - self._clock.monotonic()
            if left <= 0:
                raise QuotaUsedUp(retry_after=gate.retry_ms(quota, turn, self._now_ms) / 1000)
            await done_within(future, min(left, self._minute_left_ms / 1000), self._clock)
            self._let_in(gate, quota)
        if not future.result():
            raise SentAway

    def _let_in(self, gate: Gate, quota: Quota) -> None:
        for identifier in gate.let_in(quota, self._now_ms):
            future = self._waiting.get(identifier)
            if future is not None and not future.done():
                future.set_result(True)

    def _gate(self, quota: Quota) -> Gate:
        gate = self._gates.get(quota.id)
        if gate is None:
            if len(self._gates) >= _GATES_AT_MOST:  # a star lets callers invent deployments
                now_ms = self._now_ms
                self._gates = {name: one for name, one in self._gates.items() if not one.is_idle(now_ms)}
            gate = self._gates[quota.id] = Gate()
        return gate

    @property
    def _now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    @property
    def _minute_left_ms(self) -> int:
        return MINUTE_MS - self._now_ms % MINUTE_MS


def refusal_of(answer: Refused) -> QuotaUsedUp:
    """The error of a refusal."""
    kind = QueueFull if answer.is_full else QuotaUsedUp
    return kind(retry_after=answer.retry_ms / 1000)
