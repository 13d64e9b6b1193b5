"""A slow first try gets company: who has something to say first wins, and the other is in the entry too."""

import asyncio

import pytest

from gateway.accounts import Account
from gateway.call import Outcome
from gateway.catalog import Deployment
from gateway.errors import DeadlinePassed, ProviderCut, ProviderTimeout
from gateway.principal import Policy
from gateway.retry import Effort
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, Rig, make_account, make_deployment, make_model
from tests.support.script import (
    DONE,
    ROLE,
    USAGE,
    Act,
    Listener,
    chunk,
    completes,
    fails,
    hangs,
    streams,
    waits,
)

HELLO = chunk(content="Hello")
MOSTLY = 0.1


def rig_of(
    *acts: Act,
    clock: FakeClock,
    accounts: tuple[Account, ...] = BOUNDED,
    hedge: bool = True,
    second: Deployment | None = None,
    waits_for: float = 0.0,
) -> Rig:
    """Two deployments, of which the first one is known to begin within a tenth of a second or so."""
    first = make_deployment("alpha", priority=0)
    model = make_model(first, second or make_deployment("beta", priority=1), hedge=hedge)
    policy = Policy(queue_seconds=waits_for)
    effort = Effort(attempts=1)
    rig = Rig(*acts, clock=clock, accounts=accounts, models=[model], effort=effort, policy=policy)
    for stream in (False, True):
        for _ in range(50):
            vital = rig.gateway.upstream.vitals.note_start(first)
            vital.note_first_byte(MOSTLY, stream=stream)
            vital.note_end(MOSTLY, stream=stream)
    return rig


async def _begin(rig: Rig, clock: FakeClock, listener: Listener | None = None) -> "asyncio.Task[Outcome]":
    """A call that has waited for longer than most of the first deployment's take."""
    running = asyncio.create_task(rig.run() if listener is None else rig.stream(listener))
    await idle()
    clock.advance(2 * MOSTLY)
    await idle()
    return running


def outcomes(rig: Rig) -> list[tuple[str, str]]:
    return [(one.deployment, one.outcome) for one in rig.entry.attempts]


async def test_the_second_answers_where_the_first_is_slow(clock: FakeClock) -> None:
    rig = rig_of(hangs(), completes("from beta"), clock=clock)
    outcome = await (await _begin(rig, clock))
    assert b"from beta" in outcome.reply.body
    assert outcome.served.provider == "beta"
    assert outcomes(rig) == [("beta/m", "ok"), ("alpha/m", "outrun")]
    (told,) = rig.gateway.recent.find("req-1")
    assert [(what, where) for what, where, _ in told.notes] == [("ordered", "m"), ("hedged", "beta/m")]
    rig.assert_balanced()


async def test_the_one_that_lost_is_paid_at_its_bound(clock: FakeClock) -> None:
    rig = rig_of(hangs(), completes(prompt=10, completion=5), clock=clock)
    await (await _begin(rig, clock))
    assert [line.meter for line in rig.entry.lines] == ["input", "output", "bound"]
    assert rig.entry.estimated
    rig.assert_balanced()


async def test_the_first_may_still_win(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, completes("from alpha")), hangs(), clock=clock)
    running = await _begin(rig, clock)
    assert rig.script.hosts == ["alpha", "beta"]
    late.set()
    assert b"from alpha" in (await running).reply.body
    assert outcomes(rig) == [("alpha/m", "ok"), ("beta/m", "outrun")]
    rig.assert_balanced()


async def test_nobody_else_is_asked_as_long_as_the_first_is_in_time(clock: FakeClock) -> None:
    rig = rig_of(completes(), clock=clock)
    await rig.run()
    assert rig.script.hosts == ["alpha"]
    assert not rig.entry.estimated


@pytest.mark.parametrize("hedge", [False, True])
async def test_only_models_that_say_so_are_hedged(clock: FakeClock, hedge: bool) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, completes()), hangs(), clock=clock, hedge=hedge)
    running = await _begin(rig, clock)
    assert rig.script.hosts == ["alpha", "beta"][: 1 + hedge]
    late.set()
    await running


async def test_a_stream_is_won_by_its_first_event(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(streams(ROLE, late, HELLO), streams(ROLE, HELLO, USAGE, DONE), clock=clock)
    listener = Listener()
    running = await _begin(rig, clock, listener)
    late.set()
    await running
    assert listener.served is not None
    assert listener.served.provider == "beta"
    assert b"".join(listener.heard) == ROLE + HELLO + USAGE
    assert outcomes(rig) == [("alpha/m", "outrun"), ("beta/m", "ok")]
    rig.assert_balanced()


async def test_a_winner_that_breaks_off_is_not_replaced(clock: FakeClock) -> None:
    rig = rig_of(hangs(), streams(ROLE, HELLO), clock=clock)
    with pytest.raises(ProviderCut):
        await (await _begin(rig, clock, Listener()))
    assert outcomes(rig) == [("alpha/m", "outrun"), ("beta/m", "provider_cut")]
    rig.assert_balanced()


async def test_when_one_fails_the_other_is_waited_for(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, completes("from alpha")), fails(ProviderTimeout()), clock=clock)
    running = await _begin(rig, clock)
    late.set()
    assert b"from alpha" in (await running).reply.body
    assert outcomes(rig) == [("beta/m", "provider_timeout"), ("alpha/m", "ok")]
    rig.assert_balanced()


@pytest.mark.parametrize("may_wait", [0.0, 5.0])
async def test_a_second_that_has_no_place_leaves_the_first_alone(clock: FakeClock, may_wait: float) -> None:
    late = asyncio.Event()
    full = make_deployment("beta", priority=1, max_parallel=0)
    rig = rig_of(waits(late, completes("from alpha")), clock=clock, second=full, waits_for=may_wait)
    running = await _begin(rig, clock)
    late.set()
    assert b"from alpha" in (await running).reply.body
    assert outcomes(rig) == [("alpha/m", "ok")]
    rig.assert_balanced()


async def test_when_both_fail_the_call_has_failed(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, fails(ProviderTimeout())), fails(ProviderTimeout()), clock=clock)
    running = await _begin(rig, clock)
    late.set()
    with pytest.raises(ProviderTimeout):
        await running
    assert len(rig.entry.attempts) == 2
    rig.assert_balanced()


async def test_a_budget_for_one_try_allows_no_second(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(
        waits(late, completes()), hangs(), clock=clock, accounts=(make_account("nano", 300_000), *BOUNDED[1:])
    )
    running = await _begin(rig, clock)
    assert rig.script.hosts == ["alpha"]
    late.set()
    await running
    rig.assert_balanced()


async def test_whoever_leaves_ends_both(clock: FakeClock) -> None:
    rig = rig_of(hangs(), clock=clock)
    running = await _begin(rig, clock)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(outcomes(rig)) == [("alpha/m", "caller_left"), ("beta/m", "caller_left")]
    assert rig.entry.status == "unsettled"
    rig.assert_balanced()


async def test_an_ask_that_nobody_answers_ends_at_its_deadline(clock: FakeClock) -> None:
    rig = rig_of(hangs(), clock=clock)
    running = asyncio.create_task(rig.run(timeout=0.2))
    await idle()
    clock.advance(2 * MOSTLY)
    with pytest.raises(DeadlinePassed):
        await running
    rig.assert_balanced()
