"""The turnstile of one process keeps nothing of quotas that nobody uses."""

import pytest

from gateway.gate import fullness
from gateway.turns import QuotaUsedUp
from gateway.turnstile import MemoryTurnstile, SentAway
from tests.support.clock import FakeClock
from tests.support.turns import Guest, make_quota, make_turn


async def test_quotas_that_nobody_uses_any_more_are_forgotten() -> None:
    clock = FakeClock()
    turnstile, kept = MemoryTurnstile(clock), make_quota(parallel=1)
    await turnstile.enter(kept, make_turn(), wait=0, most_waiting=0)
    for _ in range(5):
        for _ in range(600):
            quota, turn = make_quota(rpm=1), make_turn()
            await turnstile.enter(quota, turn, wait=0, most_waiting=0)
            await turnstile.leave(quota, turn, tokens=1)
        clock.advance(60)
    assert len(turnstile._gates) <= 1_600
    with pytest.raises(QuotaUsedUp):
        await turnstile.enter(kept, make_turn(), wait=0, most_waiting=0)


async def test_who_is_sent_away_is_out_of_the_line() -> None:
    turnstile, quota, turn = MemoryTurnstile(FakeClock()), make_quota(parallel=1), make_turn()
    turnstile.occupy(quota, turn)
    guest = await Guest(turnstile, quota, make_turn()).stands_in_line()
    turnstile.send_away()
    with pytest.raises(SentAway):
        await guest.is_in()
    await turnstile.leave(quota, turn, tokens=1)
    assert turnstile.busy(quota) == 0.0


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 0.0),
        ({"rpm": 10}, 0.5),
        ({"rpm": 10, "parallel": 4}, 0.75),
        ({"tpm": 100}, 1.0),
        ({"tpm": 2_000, "rpm": 0}, 1.0),
    ],
)
def test_the_fullest_limit_says_how_full_it_is(limits: dict[str, int], expected: float) -> None:
    assert fullness(make_quota(**limits), places=3, requests=5, tokens=1_000) == expected
