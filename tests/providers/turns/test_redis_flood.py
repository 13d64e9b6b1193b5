"""A tenant that asks for fifty times as much as the others slows itself alone, from another process too."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from statistics import quantiles
from uuid import UUID

import pytest
from redis import Redis

from gateway.turns import Quota
from providers.turns.redis import RedisTurnstile
from tests.providers.turns.conftest import Open
from tests.support.flood import Crowd, Inside, noise
from tests.support.turns import NOISY, make_quota

PLACES = 20
QUIET = [UUID(int=number) for number in range(100, 104)]
CALLERS = 2
SECONDS = 1.5
PATIENCE = 1.5
"""Turns that others may wait longer than they would alone."""


@pytest.mark.slow
async def test_a_flood_of_one_tenant_hardly_slows_the_others(
    redis_url: str, redis: Redis, opened: Open
) -> None:
    quota, turnstile = make_quota(parallel=PLACES), await opened()
    alone, _ = await _quiet(turnstile, quota, Inside())
    inside = Inside()
    with noise(redis_url, quota, NOISY, callers=50 * CALLERS, inside=inside) as flood:
        beside, turns = await _quiet(turnstile, quota, inside)
    assert inside.most == PLACES
    turn = PLACES * SECONDS / (flood.turns + turns)
    assert _p95(flood.waits) > 3 * turn  # it does wait
    assert _p95(beside) <= _p95(alone) + PATIENCE * turn


async def _quiet(turnstile: RedisTurnstile, quota: Quota, inside: Inside) -> tuple[list[float], int]:
    """What tenants wait that have two calls at a time, and how many turns they have."""
    crowds = [Crowd(turnstile, quota, tenant, callers=CALLERS, inside=inside) for tenant in QUIET]
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(crowd.call() for crowd in crowds))
    waits = [wait for crowd in crowds for wait in crowd.waits]
    return waits, sum(crowd.turns for crowd in crowds)


def _p95(waits: Sequence[float]) -> float:
    return quantiles(waits, n=20)[-1]
