"""However providers fail: tries and time are bounded, and what may be billed is held before more is asked."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.catalog import Deployment, ProviderKey, Secret
from gateway.errors import (
    GatewayError,
    ProviderCut,
    ProviderRefusedConnection,
    ProviderTimeout,
)
from gateway.exchange import Request, Timeouts
from gateway.ids import uuid7
from gateway.ports import Answer
from gateway.retry import Effort
from tests.support.clock import FakeClock, rule_loop
from tests.support.engine import (
    Rig,
    make_account,
    make_ask,
    make_deployment,
    make_model,
    make_provider,
)
from tests.support.script import Act, answers, completes, fails, hangs

STEP = 0.1
"""Seconds that the clock is turned by; what is due is done within two steps of that."""
TOTALS = (1.0, 4.0, 20.0)
BOUND = (len(make_ask().body) + 16) * 1_000 + 100 * 2_000
"""What a try can cost at most."""
WAYS: dict[str, tuple[Act, bool]] = {
    "answers": (completes(), True),
    "hangs": (hangs(), True),
    "is late": (fails(ProviderTimeout()), True),
    "cuts": (fails(ProviderCut()), True),
    "refuses the connection": (fails(ProviderRefusedConnection()), False),
    "500": (answers(b"{}", 500), True),
    "529": (answers(b"{}", 529), True),
    "401": (answers(b"{}", 401), False),
    "400": (answers(b"{}", 400), False),
    "too long": (answers(b'{"error":{"code":"context_length_exceeded"}}', 400), False),
    "429": (answers(b"{}", 429), False),
    "429 for a moment": (answers(b"{}", 429, retry_after="0.2"), False),
    "429 for long": (answers(b"{}", 429, retry_after="3"), False),
    "malformed": (answers(b"{"), True),
    "empty": (answers(b'{"choices":[]}'), True),
}
"""What a provider may do, and whether it may be paid for."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A call, and how each of its tries goes."""

    ways: Sequence[str]
    seconds: Sequence[float]
    """How long each takes."""
    keys: Sequence[int]
    """Of each deployment's provider."""
    totals: Sequence[float]
    affords: int
    """Tries that the budget bears at their bound."""
    timeout: float | None
    effort: int


plans = st.integers(1, 3).flatmap(
    lambda deployments: st.builds(
        Plan,
        ways=st.lists(st.sampled_from(sorted(WAYS)), min_size=6, max_size=8),
        seconds=st.lists(st.sampled_from((0.0, 0.3, 2.0)), min_size=8, max_size=8),
        keys=st.lists(st.integers(0, 3), min_size=deployments, max_size=deployments),
        totals=st.lists(st.sampled_from(TOTALS), min_size=deployments, max_size=deployments),
        affords=st.integers(1, 6),
        timeout=st.sampled_from((None, 0.5, 3.0)),
        effort=st.integers(1, 4),
    )
)


class Playing:
    """Plays the plan, and looks into the books whenever a provider is asked."""

    def __init__(self, plan: Plan, clock: FakeClock) -> None:
        self.tries = 0
        self.uncovered: list[str] = []
        self._plan = plan
        self._clock = clock
        self._payable = 0
        parts = enumerate(zip(plan.keys, plan.totals, strict=True))
        deployments = [_deployment(turn, keys, total) for turn, (keys, total) in parts]
        self.rig = Rig(
            self._act,
            clock=clock,
            models=[make_model(*deployments)],
            accounts=(make_account("nano", BOUND * plan.affords), make_account("requests", 100)),
            effort=Effort(attempts=plan.effort),
        )

    async def _act(self, request: Request) -> Answer:
        turn = self.tries
        self.tries += 1
        name = self._plan.ways[turn % len(self._plan.ways)]
        act, is_payable = WAYS[name]
        (held,) = self.rig.books.tally.holds.values()
        if held.amounts.nano < (self._payable + 1) * BOUND:
            self.uncovered.append(name)
        self._payable += is_payable
        if seconds := self._plan.seconds[turn % len(self._plan.seconds)]:
            await self._clock.sleep(seconds)
        return await act(request)

    async def play(self) -> float:
        """How long the call took."""
        began = self._clock.monotonic()
        running = asyncio.create_task(self.rig.run(make_ask(), timeout=self._plan.timeout))
        while not running.done():
            await self._clock.turn(STEP)
        with suppress(GatewayError):
            await running
        await self.rig.gateway.upstream.entrance.drain()
        return self._clock.monotonic() - began


def _deployment(turn: int, keys: int, total: float) -> Deployment:
    """One whose provider has so many keys."""
    names = [f"key-{number}" for number in range(keys)]
    made = tuple(ProviderKey(id=uuid7(), name=name, secret=Secret(name)) for name in names)
    timeouts = Timeouts(connect=0.2, first_byte=0.5, idle=0.5, total=total)
    provider = make_provider(f"provider-{turn}", keys=made, timeouts=timeouts)
    return make_deployment(provider.name, provider=provider, priority=turn)


def _timed(plan: Plan) -> tuple[Playing, float]:
    async def run() -> tuple[Playing, float]:
        clock = FakeClock()
        with pytest.MonkeyPatch.context() as patch:
            rule_loop(clock, patch)
            playing = Playing(plan, clock)
            return playing, await playing.play()

    return asyncio.run(run())


@given(plans)
@settings(max_examples=150)
def test_tries_time_and_money_are_bounded(plan: Plan) -> None:
    playing, seconds = _timed(plan)
    event(f"{playing.tries} tries")
    assert playing.uncovered == []
    assert playing.tries <= max(plan.effort, sum(max(1, keys) for keys in plan.keys))
    assert seconds <= (plan.timeout or max(plan.totals)) + 2 * STEP
    rig = playing.rig
    rig.assert_balanced()
    assert len(rig.entry.attempts) == playing.tries
    assert rig.spent("nano") <= BOUND * plan.affords
