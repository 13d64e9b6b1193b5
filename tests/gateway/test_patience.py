"""How long a provider may take to begin, between two pieces, and in all."""

import asyncio

import pytest

from gateway.call import Event
from gateway.errors import DeadlinePassed, ProviderTimeout
from gateway.exchange import Timeouts
from gateway.patience import Patience
from gateway.retry import Effort
from gateway.ticker import Ticker
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, Rig, make_deployment, make_model, make_provider
from tests.support.script import DONE, ROLE, Act, Listener, chunk, hangs, streams

HELLO = chunk(content="Hello")
TIMEOUTS = Timeouts(connect=1.0, first_byte=10.0, idle=5.0, total=100.0)


def _rig(act: Act, clock: FakeClock) -> Rig:
    models = [make_model(make_deployment(provider=make_provider(timeouts=TIMEOUTS)))]
    return Rig(act, clock=clock, models=models, accounts=BOUNDED, effort=Effort(attempts=1))


async def test_a_provider_that_does_not_begin_is_given_up(clock: FakeClock) -> None:
    rig = _rig(hangs(), clock)
    running = asyncio.create_task(rig.run())
    await clock.turn(10.9)
    assert not running.done()
    await clock.turn(0.2)
    with pytest.raises(ProviderTimeout):
        await running
    assert rig.entry.status == "unsettled"
    assert rig.entry.attempts[0].milliseconds == pytest.approx(11_100)
    rig.assert_balanced()


async def test_a_provider_that_falls_silent_is_given_up(clock: FakeClock) -> None:
    pauses = [asyncio.Event() for _ in range(3)]
    rig = _rig(streams(ROLE, HELLO, pauses[0], HELLO, pauses[1], HELLO, pauses[2], DONE), clock)
    running = asyncio.create_task(rig.stream(Listener()))
    for pause in pauses[:2]:
        await clock.turn(4.9)
        assert not running.done()
        pause.set()
    await clock.turn(5.1)
    with pytest.raises(ProviderTimeout):
        await running
    assert (rig.entry.status, rig.entry.estimated) == ("settled", True)
    rig.assert_balanced()


async def test_a_call_ends_at_its_deadline_however_lively_it_is(clock: FakeClock) -> None:
    pauses = [asyncio.Event() for _ in range(10)]
    pieces = [piece for pause in pauses for piece in (HELLO, pause)]
    rig = _rig(streams(ROLE, *pieces), clock)
    running = asyncio.create_task(rig.stream(Listener(), timeout=12.0))
    for pause in pauses[:3]:
        await clock.turn(3.9)
        assert not running.done()
        pause.set()
    await clock.turn(0.5)
    with pytest.raises(DeadlinePassed):
        await running
    rig.assert_balanced()


class Dawdler(Listener):
    """A caller that does not read what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = asyncio.Event()

    async def send(self, event: Event) -> None:
        await self.reads.wait()
        await super().send(event)


async def test_a_caller_who_does_not_read_is_not_the_providers_failure(clock: FakeClock) -> None:
    rig = _rig(streams(ROLE, HELLO, DONE), clock)
    dawdler = Dawdler()
    running = asyncio.create_task(rig.stream(dawdler))
    await clock.turn(30)
    assert not running.done()
    dawdler.reads.set()
    await running
    assert [attempt.outcome for attempt in rig.entry.attempts] == ["ok"]


async def test_a_caller_who_never_reads_is_cut_off_at_the_deadline(clock: FakeClock) -> None:
    rig = _rig(streams(ROLE, HELLO, DONE), clock)
    running = asyncio.create_task(rig.stream(Dawdler()))
    await clock.turn(101)
    with pytest.raises(DeadlinePassed):
        await running
    rig.assert_balanced()


async def test_who_is_cancelled_meanwhile_stays_cancelled(clock: FakeClock) -> None:
    patience = Patience(clock.monotonic() + 5, Ticker())

    async def wait() -> None:
        async with patience:
            patience.expect(1)
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await idle()
    patience.tick(clock.monotonic() + 2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_patience_that_was_not_needed_leaves_no_timer(clock: FakeClock) -> None:
    async with Patience(clock.monotonic() + 5, Ticker()) as patience:
        patience.expect(1)
    await clock.turn(10)


async def test_an_answer_that_begins_and_never_commits_is_bounded_too(clock: FakeClock) -> None:
    rig = _rig(streams(ROLE, asyncio.Event()), clock)
    listener = Listener()
    running = asyncio.create_task(rig.stream(listener))
    await clock.turn(5.1)
    with pytest.raises(ProviderTimeout):
        await running
    assert listener.heard == []
    rig.assert_balanced()
