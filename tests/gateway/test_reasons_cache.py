"""What the cache did with a call, or other calls like it, is noted and kept by its request id."""

import asyncio
from typing import Any

import pytest

from gateway.call import CacheWish, Outcome
from gateway.reasons import Reasons
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, Rig, make_ask, make_deployment, make_model
from tests.support.keeping import Keeping, begun, cold
from tests.support.script import completes, waits

Note = tuple[str, str, str]


def known(rig: Rig, request_id: str = "req-1") -> list[Reasons]:
    return rig.gateway.recent.find(request_id)


def only(rig: Rig) -> Reasons:
    (one,) = known(rig)
    return one


def notes(rig: Rig) -> list[Note]:
    return list(only(rig).notes)


async def _told_of(rig: Keeping, *asks: Any, **origin: Any) -> Outcome:
    for ask in asks[:-1]:
        await rig.run(ask, request_id="before")
    return await rig.run(asks[-1], **origin)


@pytest.mark.parametrize(
    ("asks", "origin", "note"),
    [
        ([cold()], {}, ("cache", "miss", "")),
        ([cold(), cold()], {}, ("cache", "hit", "exact")),
        ([cold()], {"cache": CacheWish(reads=False)}, ("cache", "bypass", "asked_anew")),
        ([cold()], {"cache": CacheWish(reads=False, keeps=False)}, ("cache", "bypass", "not_wanted")),
        ([cold()], {"idempotency_key": "k"}, ("cache", "bypass", "idempotency_key")),
    ],
)
async def test_what_the_cache_did_is_told(
    clock: FakeClock, asks: list[Any], origin: dict[str, Any], note: Note
) -> None:
    rig = Keeping(completes(), clock=clock, accounts=BOUNDED)
    await _told_of(rig, *asks, **origin)
    assert notes(rig) == [note]
    assert only(rig).cache == note[1]


async def test_what_the_policy_says_of_the_cache_is_told_with_what_else_there_is(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock, accounts=BOUNDED)
    await rig.run(make_ask(temperature=1))
    assert known(rig) == []
    rig = Keeping(
        completes(),
        clock=clock,
        accounts=BOUNDED,
        models=[make_model(make_deployment("alpha"), make_deployment("beta"))],
    )
    await rig.run(make_ask(temperature=1))
    assert notes(rig)[-1] == ("cache", "bypass", "not_deterministic")


async def test_who_shares_an_answer_is_told_whose_and_who_led_with_how_many(clock: FakeClock) -> None:
    done = asyncio.Event()
    rig = Keeping(waits(done, completes()), clock=clock, accounts=BOUNDED)
    running = await begun(rig.run(cold(), request_id="leads"), rig.run(cold(), request_id="follows"))
    done.set()
    await asyncio.gather(*running)
    (leader,), (follower,) = known(rig, "leads"), known(rig, "follows")
    assert ("led", "calls", "1") in leader.notes
    assert ("joined", "call", str(leader.call_id)) in follower.notes
    assert (leader.cache, follower.cache) == ("miss", "shared")
