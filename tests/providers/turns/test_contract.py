"""What all turnstiles do alike, wherever places are counted."""

import asyncio
from uuid import UUID

import pytest

from gateway.ports import Turnstile
from gateway.turns import QueueFull, Quota, QuotaUsedUp, Turn
from tests.support.clock import FakeClock
from tests.support.turns import NOISY, QUIET, THIRD, Guest, make_quota, make_turn


async def _enter(turnstile: Turnstile, quota: Quota, turn: Turn | None = None) -> Turn:
    turn = turn or make_turn()
    assert await turnstile.enter(quota, turn, wait=0, most_waiting=0) == 0.0
    return turn


async def _refused(
    turnstile: Turnstile, quota: Quota, turn: Turn | None = None, wait: float = 0
) -> QuotaUsedUp:
    with pytest.raises(QuotaUsedUp) as caught:
        await turnstile.enter(quota, turn or make_turn(), wait=wait, most_waiting=100)
    return caught.value


async def _guests(turnstile: Turnstile, quota: Quota, *turns: Turn) -> list[Guest]:
    return [await Guest(turnstile, quota, turn).stands_in_line() for turn in turns]


async def _order(turnstile: Turnstile, quota: Quota, taken: Turn, guests: list[Guest]) -> list[UUID]:
    """Who comes in after whom, where there is one place."""
    order: list[UUID] = []
    waiting = {guest.task: guest for guest in guests}
    while waiting:
        await turnstile.leave(quota, taken, tokens=taken.tokens)
        async with asyncio.timeout(10):
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        (task,) = done
        taken = waiting.pop(task).turn
        order.append(taken.id)
    await turnstile.leave(quota, taken, tokens=taken.tokens)
    return order


async def test_as_many_come_in_as_there_are_places(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=2)
    first = await _enter(turnstile, quota)
    await _enter(turnstile, quota)
    refused = await _refused(turnstile, quota)
    assert (refused.code, refused.status, refused.retryable, refused.pause) == ("quota_used_up", 429, True, 1)
    await turnstile.leave(quota, first, tokens=1)
    await _enter(turnstile, quota)
    await _refused(turnstile, quota)


async def test_without_a_limit_there_is_nothing_to_wait_for(turnstile: Turnstile) -> None:
    quota = make_quota()
    for _ in range(50):
        await _enter(turnstile, quota)
    assert turnstile.busy(quota) == 0.0


async def test_a_quota_of_nothing_lets_nobody_in(turnstile: Turnstile) -> None:
    for quota in (make_quota(rpm=0), make_quota(tpm=0), make_quota(parallel=0)):
        await _refused(turnstile, quota, make_turn(tokens=0))


async def test_a_place_that_is_left_goes_to_who_waits(turnstile: Turnstile, clock: FakeClock) -> None:
    quota = make_quota(parallel=1)
    first = await _enter(turnstile, quota)
    (guest,) = await _guests(turnstile, quota, make_turn(QUIET))
    assert guest.position == 1
    clock.advance(0.5)
    await _refused(turnstile, quota)
    await turnstile.leave(quota, first, tokens=1)
    assert await guest.is_in() == pytest.approx(0.5)
    await _refused(turnstile, quota)


async def test_requests_of_a_minute_are_counted_until_the_next(
    turnstile: Turnstile, clock: FakeClock
) -> None:
    quota = make_quota(rpm=2)
    clock.advance(20)
    for _ in range(2):
        await turnstile.leave(quota, await _enter(turnstile, quota), tokens=1)
    assert (await _refused(turnstile, quota)).retry_after == 40
    clock.advance(39.9)
    await _refused(turnstile, quota)
    clock.advance(0.1)
    await _enter(turnstile, quota)


async def test_nobody_waits_for_a_minute_that_comes_too_late(turnstile: Turnstile, clock: FakeClock) -> None:
    quota = make_quota(rpm=1)
    await _enter(turnstile, quota)
    assert (await _refused(turnstile, quota, wait=59.0)).retry_after == 60
    guest = await Guest(turnstile, quota, make_turn(), wait=61.0).stands_in_line()
    clock.advance(60)
    assert await guest.is_in() == pytest.approx(60)


async def test_what_a_call_did_not_take_goes_back(turnstile: Turnstile) -> None:
    quota = make_quota(tpm=1_000)
    first = await _enter(turnstile, quota, make_turn(tokens=700))
    assert (await _refused(turnstile, quota, make_turn(tokens=301))).retry_after == 60
    (guest,) = await _guests(turnstile, quota, make_turn(QUIET, tokens=301))
    await turnstile.leave(quota, first, tokens=699)
    await guest.is_in()
    await _refused(turnstile, quota, make_turn(tokens=1))


async def test_a_call_that_took_more_than_it_was_held_at_is_counted_so(turnstile: Turnstile) -> None:
    quota = make_quota(tpm=1_000)
    first = await _enter(turnstile, quota, make_turn(tokens=100))
    await turnstile.leave(quota, first, tokens=900)
    await _refused(turnstile, quota, make_turn(tokens=101))
    await _enter(turnstile, quota, make_turn(tokens=100))


async def test_what_is_left_in_another_minute_moves_nothing_there(
    turnstile: Turnstile, clock: FakeClock
) -> None:
    quota = make_quota(tpm=1_000)
    first = await _enter(turnstile, quota, make_turn(tokens=1_000))
    clock.advance(60)
    await _enter(turnstile, quota, make_turn(tokens=600))
    await turnstile.leave(quota, first, tokens=0)
    await _refused(turnstile, quota, make_turn(tokens=401))


async def test_a_call_larger_than_a_minute_takes_a_whole_one(turnstile: Turnstile, clock: FakeClock) -> None:
    quota = make_quota(tpm=1_000)
    await _enter(turnstile, quota, make_turn(tokens=1))
    await _refused(turnstile, quota, make_turn(tokens=90_000))
    clock.advance(60)
    await _enter(turnstile, quota, make_turn(tokens=90_000))


async def test_a_small_call_does_not_overtake_a_large_one(turnstile: Turnstile) -> None:
    quota = make_quota(tpm=1_000)
    first = await _enter(turnstile, quota, make_turn(tokens=600))
    large, small = await _guests(turnstile, quota, make_turn(tokens=900), make_turn(QUIET, tokens=10))
    await _refused(turnstile, quota, make_turn(THIRD, tokens=10))
    assert not small.task.done()
    await turnstile.leave(quota, first, tokens=50)
    await large.is_in()
    await small.is_in()


async def test_a_tenant_with_many_calls_slows_itself_alone(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=1)
    taken = await _enter(turnstile, quota)
    noisy = [make_turn(NOISY, tokens=3_000) for _ in range(6)]
    quiet, third = make_turn(QUIET, tokens=3_000), make_turn(THIRD, tokens=3_000)
    guests = await _guests(turnstile, quota, *noisy, quiet, third)
    order = await _order(turnstile, quota, taken, guests)
    assert order.index(quiet.id) <= 2
    assert order.index(third.id) <= 3
    assert [one for one in order if one not in (quiet.id, third.id)] == [turn.id for turn in noisy]


async def test_the_higher_priority_of_a_tenant_goes_first(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=1)
    taken = await _enter(turnstile, quota)
    low, middle, high = make_turn(priority=-5), make_turn(), make_turn(priority=9_999)
    guests = await _guests(turnstile, quota, low, middle, high)
    assert [guest.position for guest in guests] == [1, 1, 1]
    assert await _order(turnstile, quota, taken, guests) == [high.id, middle.id, low.id]


async def test_a_line_is_no_longer_than_its_tenant_may_have_it(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=1)
    await _enter(turnstile, quota)
    await _guests(turnstile, quota, make_turn(), make_turn())
    with pytest.raises(QueueFull) as caught:
        await turnstile.enter(quota, make_turn(), wait=30, most_waiting=2)
    assert (caught.value.code, caught.value.status) == ("queue_full", 429)
    await Guest(turnstile, quota, make_turn(QUIET), most_waiting=1).stands_in_line()


async def test_who_waited_long_enough_is_refused_and_out_of_the_line(
    turnstile: Turnstile, clock: FakeClock
) -> None:
    quota = make_quota(parallel=1)
    taken = await _enter(turnstile, quota)
    short = await Guest(turnstile, quota, make_turn(), wait=2.0).stands_in_line()
    (patient,) = await _guests(turnstile, quota, make_turn())
    assert patient.position == 2
    clock.advance(2)
    with pytest.raises(QuotaUsedUp):
        await short.is_in()
    await turnstile.leave(quota, taken, tokens=1)
    await patient.is_in()


async def test_who_is_cancelled_leaves_the_line(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=1)
    taken = await _enter(turnstile, quota)
    gone, patient = await _guests(turnstile, quota, make_turn(), make_turn())
    gone.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone.task
    await turnstile.leave(quota, taken, tokens=1)
    await patient.is_in()


async def test_who_is_cancelled_when_let_in_leaves_the_place(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=1, rpm=2)
    taken = await _enter(turnstile, quota)
    (gone,) = await _guests(turnstile, quota, make_turn())
    await turnstile.leave(quota, taken, tokens=1)
    gone.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone.task
    await _enter(turnstile, quota)  # the place is free, and the request was not counted


async def test_leaving_twice_or_without_a_place_frees_nothing(turnstile: Turnstile) -> None:
    quota = make_quota(parallel=2)
    first = await _enter(turnstile, quota)
    await _enter(turnstile, quota)
    for turn in (first, first, make_turn()):
        await turnstile.leave(quota, turn, tokens=1)
    await _enter(turnstile, quota)
    await _refused(turnstile, quota)


async def test_how_full_it_is_is_the_fullest_of_its_limits(turnstile: Turnstile, clock: FakeClock) -> None:
    quota = make_quota(rpm=10, tpm=1_000, parallel=4)
    assert turnstile.busy(quota) == 0.0
    first = await _enter(turnstile, quota, make_turn(tokens=100))
    assert turnstile.busy(quota) == pytest.approx(0.25)
    await turnstile.leave(quota, first, tokens=700)
    await _enter(turnstile, quota, make_turn(tokens=0))
    assert turnstile.busy(quota) == pytest.approx(0.701)
    clock.advance(60)
    assert turnstile.busy(quota) == pytest.approx(0.25)


async def test_quotas_do_not_know_each_other(turnstile: Turnstile) -> None:
    one, other = make_quota(parallel=1), make_quota(parallel=1)
    await _enter(turnstile, one)
    await _refused(turnstile, one)
    await _enter(turnstile, other)
