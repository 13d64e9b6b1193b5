"""Identical calls at once are one call of the provider: each has its answer and entry, and one pays."""

import asyncio
from typing import Any

import pytest

from gateway import flights
from gateway.call import CacheWish, Event, Outcome, Served
from gateway.errors import DeadlinePassed, ProviderCut, ProviderRejected
from gateway.principal import Policy
from gateway.retry import Effort
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, Rig, make_account, make_ask
from tests.support.keeping import Keeping, begun, cold
from tests.support.script import (
    DONE,
    ROLE,
    USAGE,
    Act,
    Listener,
    chunk,
    completes,
    event,
    fails,
    hangs,
    streams,
    waits,
)

HELLO, WORLD = chunk(content="Hello"), chunk(content=" world")
MANY = (
    make_account("nano", 10**12),
    make_account("requests", 10_000),
    make_account("concurrency", 999, "none"),
)


def rig_of(*acts: Act, clock: FakeClock, **more: Any) -> Keeping:
    told: dict[str, Any] = {"accounts": BOUNDED, "effort": Effort(attempts=1)}
    return Keeping(*acts, clock=clock, **told | more)


def streamed(rig: Keeping, listener: Listener, **origin: Any) -> "asyncio.Future[Outcome]":
    return asyncio.ensure_future(rig.gateway.run(rig.call(cold(stream=True), **origin), listener))


async def test_five_hundred_at_once_are_one_call(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, completes("one for all")), clock=clock, accounts=MANY)
    calls = await begun(*(rig.gateway.run(rig.call(cold())) for _ in range(500)))
    late.set()
    outcomes = await asyncio.gather(*calls)
    assert rig.asked == 1
    assert all(b"one for all" in outcome.reply.body for outcome in outcomes)
    assert sorted({outcome.served.cache for outcome in outcomes}) == ["miss", "shared"]
    paid = [entry for entry in rig.entries if entry.charge_nano]
    assert [entry.status for entry in paid] == ["settled"]
    assert [entry.status for entry in rig.entries].count("cached") == 499
    assert {entry.deployment for entry in rig.entries} == {"alpha/m"}
    assert sum(outcome.charge_nano for outcome in outcomes) == paid[0].charge_nano
    rig.assert_balanced()


async def test_who_comes_late_to_a_stream_is_told_its_beginning(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(streams(ROLE, HELLO, late, WORLD, USAGE, DONE), clock=clock)
    early, tardy = Listener(), Listener()
    first = streamed(rig, early)
    await idle()
    assert early.heard
    second = streamed(rig, tardy)
    await idle()
    assert b"".join(tardy.heard) == b"".join(early.heard) == ROLE + HELLO
    late.set()
    replies = [(await call).reply.body for call in (first, second)]
    assert replies == [DONE, DONE]
    assert b"".join(tardy.heard) == ROLE + HELLO + WORLD + USAGE
    assert tardy.served is not None
    assert (tardy.served.cache, tardy.served.provider) == ("shared", "alpha")
    assert rig.asked == 1
    rig.assert_balanced()


async def test_a_leader_that_leaves_pays_and_the_others_are_answered(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(streams(ROLE, HELLO, late, WORLD, USAGE, DONE), clock=clock)
    listener = Listener()
    first = streamed(rig, Listener())
    await idle()
    second = streamed(rig, listener)
    await idle()
    first.cancel()
    await idle()
    assert not first.done()
    late.set()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert b"".join(listener.heard) == ROLE + HELLO + WORLD + USAGE
    assert sorted(entry.status for entry in rig.entries) == ["cached", "settled"]
    assert rig.asked == 1
    rig.assert_balanced()


async def test_a_leader_that_leaves_alone_ends_its_call(clock: FakeClock) -> None:
    rig = rig_of(hangs(), clock=clock)
    (call,) = await begun(rig.gateway.run(rig.call(cold())))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert rig.entry.attempts[0].outcome == "caller_left"
    rig.assert_balanced()


async def test_who_follows_may_leave(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, completes()), clock=clock)
    first, second = await begun(*(rig.gateway.run(rig.call(cold())) for _ in range(2)))
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    late.set()
    assert (await first).served.cache == "miss"
    assert sorted(entry.status for entry in rig.entries) == ["failed", "settled"]
    rig.assert_balanced()


async def test_a_leader_that_fails_fails_nobody_else(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, fails(ProviderRejected())), completes(), clock=clock)
    first, *others = await begun(*(rig.gateway.run(rig.call(cold())) for _ in range(4)))
    late.set()
    with pytest.raises(ProviderRejected):
        await first
    assert sorted([(await call).served.cache for call in others]) == ["miss", "shared", "shared"]
    assert rig.asked == 2
    rig.assert_balanced()


async def test_whoever_leads_in_vain_does_not_keep_others_waiting_for_ever(clock: FakeClock) -> None:
    acts = [fails(ProviderRejected()) for _ in range(flights.FLIGHTS_AT_MOST)]
    rig = rig_of(*acts, completes(), clock=clock)
    calls = await begun(*(rig.gateway.run(rig.call(cold())) for _ in range(5)))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, ProviderRejected) for result in results) == flights.FLIGHTS_AT_MOST
    rig.assert_balanced()


async def test_a_stream_that_is_cut_is_cut_for_all_who_heard_it(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(streams(ROLE, HELLO, late, ProviderCut()), clock=clock)
    calls = [streamed(rig, Listener()) for _ in range(2)]
    await idle()
    late.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [ProviderCut, ProviderCut]
    assert results[0] is not results[1]
    assert sorted((entry.status, entry.charge_nano > 0) for entry in rig.entries) == [
        ("failed", False),
        ("settled", True),
    ]
    rig.assert_balanced()


async def test_who_has_less_time_waits_no_longer(clock: FakeClock) -> None:
    rig = rig_of(hangs(), clock=clock)
    first, second = await begun(
        rig.gateway.run(rig.call(cold())), rig.gateway.run(rig.call(cold(), timeout=1))
    )
    clock.advance(1.1)
    with pytest.raises(DeadlinePassed):
        await second
    assert not first.done()
    first.cancel()
    await asyncio.wait([first])
    rig.assert_balanced()


NOT_SHARED: dict[str, dict[str, Any]] = {
    "no cache": {"wish": CacheWish(reads=False)},
    "a key of its own": {"idempotency_key": "mine"},
    "another text": {"text": "other"},
    "the policy": {"policy": Policy(cache="off")},
}


@pytest.mark.parametrize("why", NOT_SHARED)
async def test_what_is_not_the_same_is_not_shared(clock: FakeClock, why: str) -> None:
    told = dict(NOT_SHARED[why])
    text, wish = told.pop("text", "hello"), told.pop("wish", CacheWish())
    policy = {"policy": told.pop("policy")} if "policy" in told else {}
    late = asyncio.Event()
    rig = rig_of(waits(late, completes()), waits(late, completes()), clock=clock, **policy)
    other = rig.call(cold(text), cache=wish, **told)
    calls = await begun(rig.gateway.run(rig.call(cold())), rig.gateway.run(other))
    late.set()
    await asyncio.gather(*calls)
    assert rig.asked == 2
    rig.assert_balanced()


async def test_samples_at_a_temperature_differ(clock: FakeClock) -> None:
    late = asyncio.Event()
    rig = rig_of(waits(late, completes()), clock=clock)
    calls = await begun(*(rig.gateway.run(rig.call()) for _ in range(2)))
    late.set()
    await asyncio.gather(*calls)
    assert rig.asked == 2


class _Slow:
    """A caller who takes nothing before it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.taken = 0

    async def start(self, served: Served) -> None:
        """Begin."""

    async def send(self, sent: Event) -> None:
        """Take it, once that is allowed."""
        await self.may.wait()
        self.taken += len(sent.data)


async def test_a_slow_listener_holds_nobody_up(
    clock: FakeClock,
) -> None:
    pieces = [event({"choices": [{"delta": {"content": "x" * 60_000}}]}) for _ in range(40)]
    rig = rig_of(streams(ROLE, *pieces, DONE), clock=clock)
    slow, quick = _Slow(), _Slow()
    quick.may.set()
    first = asyncio.ensure_future(rig.gateway.run(rig.call(cold(stream=True)), slow))
    await idle()
    second = asyncio.ensure_future(rig.gateway.run(rig.call(cold(stream=True)), quick))
    await second
    assert quick.taken >= sum(map(len, pieces))
    assert slow.taken == 0
    slow.may.set()
    await first
    assert slow.taken == quick.taken
    assert rig.asked == 1
    rig.assert_balanced()


async def test_a_provider_is_not_read_faster_than_anybody_listens(clock: FakeClock) -> None:
    pieces = [event({"choices": [{"delta": {"content": "x" * 60_000}}]}) for _ in range(40)]
    rig = rig_of(streams(ROLE, *pieces, DONE), clock=clock)
    slow = _Slow()
    call = asyncio.ensure_future(rig.gateway.run(rig.call(cold(stream=True)), slow))
    await idle(400)
    (flight,) = rig.gateway.flights._flights.values()
    assert flight._size <= flights.AHEAD_AT_MOST + 2 * len(pieces[0])
    slow.may.set()
    await call
    assert slow.taken >= sum(map(len, pieces))


@pytest.mark.parametrize(("shares", "asked"), [(True, 1), (False, 2)])
async def test_calls_are_shared_where_that_is_wished_and_nothing_is_kept(
    clock: FakeClock, shares: bool, asked: int
) -> None:
    late = asyncio.Event()
    policy = Policy(cache="off", shares=shares)
    rig = Rig(waits(late, completes("one for all")), clock=clock, accounts=MANY, policy=policy)
    calls = await begun(*(rig.run(make_ask(temperature=1)) for _ in range(2)))
    late.set()
    await asyncio.gather(*calls)
    assert (len(rig.script.requests), rig.gateway.flights.joined) == (asked, 2 - asked)
    again = await rig.run(make_ask(temperature=1))
    assert (len(rig.script.requests), again.served.cache) == (asked + 1, "bypass")
    assert len(rig.gateway.flights) == 0
