"""A storm: calls of several tenants, plain and streamed, while processes and servers die, hang and come back.

The provider keeps its own bill. When all is over, the ledger has every call that it heard of, once, and the
accounts say what the ledger says. CHAOS_SEED makes the same storm again, as far as processes let themselves.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

import pytest

from tests.support.accounts_proof import BooksProof
from tests.support.caller import Caller, fresh
from tests.support.chaos_form import read_form
from tests.support.crowd import Call, Made, make_all
from tests.support.fleet import Fleet, own_fleet
from tests.support.own_servers import Fsync
from tests.support.provider_paces import answer_in_time
from tests.support.provider_stub import ProviderStub
from tests.support.reckoning import (
    cases_of,
    complaints_about,
    what_was_swept_from_the_living_is_corrected,
)
from tests.support.small_configurations import CALL_NANO, stub_at
from tests.support.troubles import ALL, LONGEST_HANG, Trouble
from tests.support.waiting import eventually

pytestmark = pytest.mark.chaos

FORM = read_form()
CALLS = 300
"""In each round."""
GAP_SECONDS = (0.5, 3.0)
"""From one trouble to the next, though the first may not be over."""
AFTERMATH_SECONDS = LONGEST_HANG
"""Troubles wait for each other, so the last ones come later than they were meant to."""
CALM_WITHIN = 45.0
PATIENT = "{connect: 5, first_byte: 20, idle: 20, total: 30}"
TENANTS = """
tenants:
  acme:
    limits: {rpd: 1000000, parallel: 1000}
    budgets: [{amount: 1000, window: total, hard: true}]
    projects:
      search: {budgets: [{amount: 500, window: month, hard: true}]}
    keys:
      - {name: app, secret: acme-key-0000000001, project: search, budgets: [{amount: 100, window: day}]}
      - {name: batch, secret: acme-key-0000000002}
  globex:
    limits: {parallel: 1000}
    budgets: [{amount: 1000, window: month, hard: false}]
    policy: {books_away: allow}
    keys: [{name: app, secret: globex-key-00000001}]
"""
KEYS = (
    ("acme", "acme-key-0000000001"),
    ("acme", "acme-key-0000000002"),
    ("globex", "globex-key-00000001"),
)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderStub]:
    with ProviderStub(answer_in_time) as stub:
        yield stub


@pytest.fixture(params=["always", "everysec"] if FORM.is_long else ["always"])
def fleet(request: pytest.FixtureRequest, provider: ProviderStub) -> Iterator[Fleet]:
    fsync: Fsync = request.param
    configuration = stub_at(provider.url(), timeout=PATIENT) + TENANTS
    with own_fleet(configuration, fsync=fsync, GATEWAY_LEASE_SECONDS="3") as fleet:
        yield fleet


@dataclass(frozen=True, kw_only=True)
class Act:
    """A trouble, when it comes, and the luck that it has."""

    at: float
    trouble: Trouble
    luck: Random


def script_of(random: Random) -> list[Act]:
    """All troubles in each round; one may come while those before are not over."""
    troubles = [trouble for _ in range(FORM.rounds) for trouble in random.sample(ALL, len(ALL))]
    moments = accumulate(random.uniform(*GAP_SECONDS) for _ in troubles)
    return [
        Act(at=at, trouble=trouble, luck=Random(random.random()))
        for at, trouble in zip(moments, troubles, strict=True)
    ]


def calls_of(fleet: Fleet, script: Sequence[Act], random: Random) -> list[Call]:
    """Everybody's calls: half of them at any time, half in crowds about the moment of a trouble."""
    callers = [Caller(fleet.gateway, tenant, key) for tenant, key in KEYS]
    ends = script[-1].at + AFTERMATH_SECONDS
    moments = [
        random.choice(script).at + random.uniform(-1, 1) if random.random() < 0.5 else random.uniform(0, ends)
        for _ in range(CALLS * FORM.rounds)
    ]
    return [_call(random, random.choice(callers), max(0.0, moment)) for moment in moments]


def _call(random: Random, caller: Caller, after: float) -> Call:
    is_long, leaves = random.random() < 0.05, random.random() < 0.15
    once = not leaves and random.random() < 0.2
    return Call(
        name=fresh("call"),
        caller=caller,
        after=after,
        seconds=random.uniform(3, 6) if is_long else random.uniform(0, 1.5),
        stream=random.random() < 0.5,
        leaves_after=random.uniform(0, 1.5) if leaves else None,
        persists=once,
        once=once,
    )


async def play(fleet: Fleet, script: Sequence[Act]) -> None:
    """Bring each trouble in its time, and wait until all are over."""
    async with asyncio.TaskGroup() as acts:
        for act in script:
            acts.create_task(_play(fleet, act))


async def _play(fleet: Fleet, act: Act) -> None:
    await asyncio.sleep(act.at)
    await act.trouble(fleet, act.luck)


def all_is_told(fleet: Fleet, provider: ProviderStub, made: Sequence[Made]) -> bool:
    """Whether processes that hung have mended what was swept meanwhile: of that nothing is open any more."""
    cases = cases_of(fleet, provider, made, bill=CALL_NANO)
    return all(what_was_swept_from_the_living_is_corrected(case) for case in cases)


async def test_no_call_is_lost_and_none_is_charged_twice(fleet: Fleet, provider: ProviderStub) -> None:
    random = Random(FORM.seed)
    script = script_of(random)
    sys.stdout.write(f"CHAOS_SEED={FORM.seed}: {[act.trouble.__name__ for act in script]}\n")
    calls = calls_of(fleet, script, random)
    made, _ = await asyncio.gather(make_all(calls), play(fleet, script))
    proof = BooksProof(fleet.gateway)
    eventually(lambda: not proof.unfinished() and all_is_told(fleet, provider, made), within=CALM_WITHIN)
    proof.await_calm(CALM_WITHIN)
    cases = cases_of(fleet, provider, made, bill=CALL_NANO)
    told = Counter(one.last.status for one in made)
    booked = Counter((row.status, row.corrects is not None) for case in cases for row in case.rows)
    sys.stdout.write(f"answered {dict(told)}, booked {dict(booked)}\n")
    complaints = complaints_about(cases)
    assert not complaints, "\n".join(complaints)
    assert told[429] == 0
    assert told[200] > len(calls) / 2
