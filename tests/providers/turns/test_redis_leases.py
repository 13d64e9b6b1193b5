"""Messages that are lost, and processes that die with places, in line, or when they are let in."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from gateway.turns import Quota, QuotaUsedUp
from providers.turns.clerk import Terms
from providers.turns.redis import RedisTurnstile
from tests.providers.turns.conftest import Open
from tests.support.clock import FakeClock, idle
from tests.support.processes import ROOT
from tests.support.turn_taker import SHORT
from tests.support.turns import QUIET, Guest, make_quota, make_turn

pytestmark = pytest.mark.usefixtures("redis")


async def test_a_message_that_is_lost_is_found_within_a_second(opened: Open, clock: FakeClock) -> None:
    turnstile, quota, turn = await opened(clock=clock), make_quota(parallel=1), make_turn()
    turnstile.news.channel = "nobody"
    await turnstile.enter(quota, turn, wait=0, most_waiting=0)
    guest = await Guest(turnstile, quota, make_turn(), wait=30).stands_in_line()
    await turnstile.leave(quota, turn, tokens=1)
    clock.advance(1)
    assert await guest.is_in() == pytest.approx(1)


async def test_a_message_lets_in_at_once_in_another_process(opened: Open, clock: FakeClock) -> None:
    one, other = await opened(clock=clock), await opened(clock=clock)
    quota, turn = make_quota(parallel=1), make_turn()
    await one.enter(quota, turn, wait=0, most_waiting=0)
    guest = await Guest(other, quota, make_turn()).stands_in_line()
    await one.leave(quota, turn, tokens=1)
    assert await guest.is_in() == 0.0  # the clock stands: nobody looked


async def test_a_place_of_the_living_is_kept_and_one_of_the_dead_comes_back(
    opened: Open, clock: FakeClock
) -> None:
    turnstile, dead, quota = (
        await opened(clock=clock),
        await opened(clock=clock, tended=False),
        make_quota(parallel=2),
    )
    await dead.enter(quota, make_turn(), wait=0, most_waiting=0)
    await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)
    first = await Guest(turnstile, quota, make_turn(), wait=600).stands_in_line()
    for _ in range(59):
        await _second(turnstile, quota, clock)
    assert not first.task.done()
    await _second(turnstile, quota, clock)
    await first.is_in()
    with pytest.raises(QuotaUsedUp):
        await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)


async def test_who_waited_in_a_dead_process_is_passed_over(opened: Open, clock: FakeClock) -> None:
    turnstile, dead, quota, turn = (
        await opened(clock=clock),
        await opened(clock=clock, tended=False),
        make_quota(parallel=1),
        make_turn(),
    )
    await turnstile.enter(quota, turn, wait=0, most_waiting=0)
    await Guest(dead, quota, make_turn(), wait=600).stands_in_line()
    guest = await Guest(turnstile, quota, make_turn(QUIET), wait=600).stands_in_line()
    for _ in range(3):
        await _second(turnstile, quota, clock)
    await turnstile.leave(quota, turn, tokens=1)
    assert await guest.is_in() == pytest.approx(3)


async def test_a_place_that_a_dead_process_was_given_comes_back(opened: Open, clock: FakeClock) -> None:
    turnstile, dead, quota, turn = (
        await opened(clock=clock),
        await opened(clock=clock, tended=False),
        make_quota(parallel=1),
        make_turn(),
    )
    await turnstile.enter(quota, turn, wait=0, most_waiting=0)
    await Guest(dead, quota, make_turn(), wait=600).stands_in_line()
    guest = await Guest(turnstile, quota, make_turn(), wait=600).stands_in_line()
    await turnstile.leave(quota, turn, tokens=1)
    await _is_full(turnstile, quota)
    for _ in range(2):
        await _second(turnstile, quota, clock)
    assert not guest.task.done()
    await _second(turnstile, quota, clock)
    await guest.is_in()


async def test_who_was_given_up_while_its_process_stood_still_waits_on(
    opened: Open, clock: FakeClock, redis: Redis
) -> None:
    turnstile, quota, turn = await opened(clock=clock), make_quota(parallel=1), make_turn()
    await turnstile.enter(quota, turn, wait=0, most_waiting=0)
    guest = await Guest(turnstile, quota, make_turn(), wait=600).stands_in_line()
    for key in redis.scan_iter("gw:{q:" + quota.id + "}:*"):
        if not key.endswith((b":places", b":counters")):
            redis.delete(key)
    clock.advance(1)
    await turnstile.leave(quota, turn, tokens=1)
    await guest.is_in()


async def test_a_new_minute_lets_in_those_that_wait_for_it_before_the_next_look(
    opened: Open, clock: FakeClock
) -> None:
    turnstile, quota = await opened(clock=clock), make_quota(rpm=1)
    clock.advance(58.5)
    await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)
    guest = await Guest(turnstile, quota, make_turn(), wait=5).stands_in_line()
    await _second(turnstile, quota, clock)
    await idle()
    clock.advance(0.51)
    assert await guest.is_in() == pytest.approx(1.51)


async def test_places_with_a_short_lease_are_renewed_more_often(opened: Open, clock: FakeClock) -> None:
    turnstile, quota = await opened(clock=clock, terms=Terms(lease_ms=8_000)), make_quota(parallel=1)
    await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)
    for _ in range(20):
        await _second(turnstile, quota, clock)


async def test_a_process_that_is_killed_frees_its_places_and_leaves_the_line(
    redis_url: str, opened: Open
) -> None:
    quota = make_quota(parallel=3)
    turnstile = await opened(terms=SHORT)
    with _taker(redis_url, quota) as process:
        guest = await Guest(turnstile, quota, make_turn(QUIET), wait=60).stands_in_line()
        process.kill()
        process.wait()
        await guest.is_in()
    for _ in range(2):
        await Guest(turnstile, quota, make_turn(QUIET), wait=60).is_in()


async def _second(turnstile: RedisTurnstile, quota: Quota, clock: FakeClock) -> None:
    """Let a second pass, and what is done in it be done: the look has its answer before a refusal has."""
    clock.advance(1)
    await asyncio.sleep(0)
    await _is_full(turnstile, quota)


async def _is_full(turnstile: RedisTurnstile, quota: Quota) -> None:
    with pytest.raises(QuotaUsedUp):
        await turnstile.enter(quota, make_turn(QUIET), wait=0, most_waiting=0)


@contextmanager
def _taker(url: str, quota: Quota) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.support.turn_taker", url, quota.id, str(quota.parallel)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()
