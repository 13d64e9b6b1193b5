"""Whatever happens at a quota: the script on Redis lets in whom the gate in memory lets in."""

import asyncio
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from gateway.gate import Admitted, Gate, Refused, Waits
from gateway.turns import Turn
from providers.turns import orders
from providers.turns.clerk import Clerk, Terms
from providers.turns.orders import FULL, GONE, GRANTED, REFUSED, WAITS
from tests.support.clock import FakeClock
from tests.support.turns import NOISY, QUIET, THIRD, make_quota, make_turn

QUANTUM = 50

limits = st.none() | st.integers(0, 6)
picks = st.integers(0, 1 << 16)


class Twins(RuleBasedStateMachine):
    """Drives a gate and the script."""

    url: str
    client: Redis

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.gate = Gate(quantum=QUANTUM)
        self.runner = asyncio.Runner()
        self.told: list[int] = []
        self.clerk = Clerk(
            self.url,
            terms=Terms(quantum=QUANTUM),
            clock=self.clock,
            reply_timeout=5,
            heard=lambda _, told: self.told.__setitem__(slice(None), told),
            lost=lambda: None,
        )
        self.turns: list[Turn] = []
        self.quota = make_quota()

    @initialize(rpm=limits, parallel=limits, tpm=st.none() | st.integers(0, 900))
    def set_up(self, rpm: int | None, parallel: int | None, tpm: int | None) -> None:
        self.quota = make_quota(rpm=None if rpm is None else rpm * 3, tpm=tpm, parallel=parallel)

    @rule(
        tenant=st.sampled_from([NOISY, QUIET, THIRD]),
        tokens=st.integers(0, 400),
        priority=st.integers(-2, 2),
        wait=st.sampled_from([0, 5, 300]),
        most_waiting=st.sampled_from([2, 100]),
    )
    def enter(self, tenant: UUID, tokens: int, priority: int, wait: int, most_waiting: int) -> None:
        turn = make_turn(tenant, tokens=tokens, priority=priority)
        self.turns.append(turn)
        self._enter(turn, wait, most_waiting)

    @rule(costs=st.lists(st.tuples(st.sampled_from([NOISY, QUIET, THIRD]), st.integers(0, 400)), max_size=12))
    def come_in_crowds(self, costs: list[tuple[UUID, int]]) -> None:
        for tenant, tokens in costs:
            self.enter(tenant, tokens, 0, 300, 100)

    @precondition(lambda self: self.gate.places)
    @rule(count=st.integers(1, 5))
    def leave_in_turn(self, count: int) -> None:
        for identifier in list(self.gate.places)[:count]:
            at = next(at for at, turn in enumerate(self.turns) if turn.id == identifier)
            self.leave(at, self.turns[at].tokens)

    @precondition(lambda self: self.turns)
    @rule(pick=picks)
    def enter_again(self, pick: int) -> None:
        turn = self._pick(pick)
        if turn.id in self.gate.places or turn.id in self.gate.queue:
            self._enter(turn, 300, 100)

    @precondition(lambda self: self.turns)
    @rule(pick=picks, tokens=st.integers(0, 500))
    def leave(self, pick: int, tokens: int) -> None:
        turn = self._pick(pick)
        place = self.gate.places.get(turn.id)
        window, held = (place.window, place.tokens) if place else (0, 0)
        self._ask(orders.leaving(turn.id, window=window, held=held, tokens=tokens))
        self.gate.leave(self.quota, turn.id, self._now_ms, tokens=tokens)
        self._let_in()

    @precondition(lambda self: self.turns)
    @rule(pick=picks)
    def give_up(self, pick: int) -> None:
        """The script takes what it was not told the minute of for a place of this minute."""
        turn = self._pick(pick)
        place = self.gate.places.get(turn.id)
        if place is None or place.window == self._now_ms // 60_000:
            self._ask(orders.giving_up(turn))
            self.gate.leave(self.quota, turn.id, self._now_ms, tokens=0, unused=True)
            self._let_in()

    @precondition(lambda self: self.turns)
    @rule(pick=picks)
    def withdraw(self, pick: int) -> None:
        turn = self._pick(pick)
        if turn.id in self.gate.queue:
            told = self._ask(orders.withdrawing(turn))
            self.gate.leave(self.quota, turn.id, self._now_ms, tokens=0)
            self._let_in()
            assert told == [GONE, self.gate.retry_ms(self.quota, turn, self._now_ms)]

    @rule(seconds=st.sampled_from([0.004, 1, 2.5, 20, 59, 60, 61]))
    def wait(self, seconds: float) -> None:
        waiting = [turn for turn in self.turns if turn.id in self.gate.queue]
        taken = [identifier.hex for identifier in self.gate.places]
        self.clock.advance(seconds)
        fates = self._ask(orders.tending([turn.id.hex for turn in waiting], taken))
        self._let_in()
        for turn, fate in zip(waiting, fates, strict=True):
            place = self.gate.places.get(turn.id)
            assert fate == ([WAITS] if place is None else [GRANTED, place.window, place.tokens])

    @invariant()
    def they_count_alike(self) -> None:
        (fates,) = [self._ask(orders.tending([turn.id.hex for turn in self.turns], []))]
        self._let_in()
        assert self.told[:3] == [len(self.gate.places), self.gate.requests, self.gate.tokens]
        queue, prefix = self.gate.queue, f"gw:{{q:{self.quota.id}}}:"
        ring: Any = self.client.lrange(prefix + "ring", 0, -1)
        credits: Any = self.client.hgetall(prefix + "credits")
        assert [UUID(one.decode()) for one in ring] == list(queue._ring)
        assert {UUID(one.decode()): int(left) for one, left in credits.items()} == queue._credits
        waits = [turn.id for turn, fate in zip(self.turns, fates, strict=True) if fate == [WAITS]]
        assert waits == [turn.id for turn in self.turns if turn.id in self.gate.queue]

    def teardown(self) -> None:
        self.runner.run(self.clerk.close())
        self.runner.close()

    def _enter(self, turn: Turn, wait: int, most_waiting: int) -> None:
        told = self._ask(orders.entering(turn, wait=wait, most_waiting=most_waiting, channel="nobody"))
        self._let_in()
        found = self.gate.enter(
            self.quota, turn, self._now_ms, wait_ms=wait * 1000, most_waiting=most_waiting
        )
        if isinstance(found, Admitted):
            assert told[0] == GRANTED
        elif isinstance(found, Waits):
            assert told == [WAITS, found.position]
        else:
            assert isinstance(found, Refused)
            assert told == [FULL if found.is_full else REFUSED, found.retry_ms]

    def _let_in(self) -> None:
        self.gate.let_in(self.quota, self._now_ms)

    def _ask(self, order: orders.Order) -> Any:
        async def ask() -> Any:
            return await self.clerk.ask(self.quota, order)

        return self.runner.run(ask())

    def _pick(self, pick: int) -> Turn:
        return self.turns[pick % len(self.turns)]

    @property
    def _now_ms(self) -> int:
        return round(self.clock.now() * 1000)


def test_the_script_and_the_gate_say_and_count_the_same(redis_url: str, redis: Redis) -> None:
    machine = type("TwinsHere", (Twins,), {"url": redis_url, "client": redis})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )
