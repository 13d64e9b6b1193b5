"""A caller may leave at any moment: the call is then in the ledger once, or was never admitted."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway import trial
from gateway.errors import ProviderTimeout
from gateway.retry import Effort
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, Rig, make_deployment, make_model, make_provider
from tests.support.script import DONE, ROLE, USAGE, Listener, chunk, completes, fails, streams

HELLO = chunk(content="Hello")
TWO = (make_model(make_deployment("alpha", priority=0), make_deployment("beta", priority=1)),)
MOST_STEPS = 400

Scenario = Callable[[FakeClock], Rig]

SCENARIOS: dict[str, Scenario] = {
    "counted": lambda clock: Rig(streams(ROLE, HELLO, USAGE, DONE), clock=clock, accounts=BOUNDED),
    "not counted": lambda clock: Rig(streams(ROLE, HELLO, DONE), clock=clock, accounts=BOUNDED),
    "cut": lambda clock: Rig(streams(ROLE, HELLO), clock=clock, accounts=BOUNDED),
    "cut at once": lambda clock: Rig(streams(ROLE), clock=clock, accounts=BOUNDED, effort=Effort(attempts=1)),
    "taken over": lambda clock: Rig(
        fails(ProviderTimeout()),
        streams(ROLE, HELLO, USAGE, DONE),
        clock=clock,
        accounts=BOUNDED,
        models=TWO,
    ),
    "whole": lambda clock: Rig(completes(), clock=clock, accounts=BOUNDED),
}


async def _leave_after(steps: int, rig: Rig, *, streamed: bool) -> bool:
    """Make a call and leave it after so many turns of the loop; whether it was still running."""
    running = asyncio.create_task(rig.stream(Listener()) if streamed else rig.run())
    for _ in range(steps):
        await asyncio.sleep(0)
    still_running = not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await running
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return still_running


@pytest.mark.parametrize("name", SCENARIOS)
async def test_whoever_leaves_is_booked_once(name: str, clock: FakeClock) -> None:
    for steps in range(MOST_STEPS):
        rig = SCENARIOS[name](clock)
        still_running = await _leave_after(steps, rig, streamed=name != "whole")
        rig.assert_balanced()
        assert len(rig.entries) <= 1
        if rig.script.requests:
            assert len(rig.entries) == 1
            assert rig.entry.attempts
        if not still_running:
            break
    else:
        pytest.fail("the call did not end")
    assert len(rig.entries) == 1


async def test_what_a_provider_may_bill_unseen_is_booked_at_its_bound(clock: FakeClock) -> None:
    silent = asyncio.Event()
    rig = Rig(streams(ROLE, silent), clock=clock, accounts=BOUNDED)
    running = asyncio.create_task(rig.stream(Listener()))
    for _ in range(50):
        await asyncio.sleep(0)
    (held,) = rig.books.tally.holds.values()
    bound = held.amounts.nano
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (rig.entry.status, rig.entry.charge_nano, rig.entry.estimated) == ("unsettled", bound, True)
    assert [attempt.outcome for attempt in rig.entry.attempts] == ["caller_left"]
    rig.assert_balanced()


async def test_what_a_caller_had_of_a_stream_is_estimated(clock: FakeClock) -> None:
    silent = asyncio.Event()
    rig = Rig(streams(ROLE, HELLO, silent), clock=clock, accounts=BOUNDED)
    running = asyncio.create_task(rig.stream(Listener()))
    for _ in range(50):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (rig.entry.status, rig.entry.estimated) == ("settled", True)
    assert rig.entry.meters.output == 1
    rig.assert_balanced()


BILLING = (make_model(make_deployment(provider=make_provider(bills_to_end=True))),)


async def test_a_provider_that_bills_to_the_end_is_heard_to_the_end(clock: FakeClock) -> None:
    going_on = asyncio.Event()
    rig = Rig(
        streams(ROLE, HELLO, going_on, HELLO, USAGE, DONE), clock=clock, accounts=BOUNDED, models=BILLING
    )
    listener = Listener()
    running = asyncio.create_task(rig.stream(listener))
    await idle(50)
    running.cancel()
    await idle(50)
    assert not running.done()
    going_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (rig.entry.status, rig.entry.estimated) == ("settled", False)
    assert (rig.entry.meters.input, rig.entry.meters.output) == (10, 5)
    assert [attempt.outcome for attempt in rig.entry.attempts] == ["caller_left"]
    assert b"".join(listener.heard) == ROLE + HELLO
    rig.assert_balanced()


@pytest.mark.parametrize("end", ["time", "shutdown", "cut"])
async def test_hearing_a_provider_out_ends(end: str, clock: FakeClock) -> None:
    never = asyncio.Event()
    rig = Rig(streams(ROLE, HELLO, never), clock=clock, accounts=BOUNDED, models=BILLING)
    running = asyncio.create_task(rig.stream(Listener()))
    await idle(50)
    running.cancel()
    await idle(50)
    if end == "shutdown":
        running.cancel()
    elif end == "cut":
        never.set()
    else:
        clock.advance(trial.HEARD_OUT_WITHIN)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (rig.entry.status, rig.entry.estimated) == ("settled", True)
    rig.assert_balanced()


async def test_a_caller_who_leaves_before_the_books_answer_was_never_there(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=BOUNDED)
    running = asyncio.create_task(rig.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await rig.gateway.teller.drain()
    assert rig.script.requests == []
    assert {(entry.status, entry.charge_nano) for entry in rig.entries} <= {("failed", 0)}
    assert not rig.books.tally.holds
