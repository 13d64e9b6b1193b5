"""Prompts that mean the same find the same answer; what that costs is booked."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.errors import ProviderRejected
from gateway.memory import MemoryDirectory
from gateway.principal import Policy
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, KEY, OTHER_TENANT, TENANT, make_ask
from tests.support.keeping import MEANS, Keeping, cold, means
from tests.support.script import completes, fails

VECTORS = {
    "What is the capital of France?": [1.0, 0.0, 0.0],
    "Which city is the capital of France?": [0.99, 0.1, 0.0],
    "What is the capital of Spain?": [0.5, 0.8, 0.0],
    "Name a colour.": [0.0, 0.0, 1.0],
}
FRANCE, ALIKE, SPAIN, COLOUR = VECTORS


def knowing(clock: FakeClock, answer: str = "Paris", **more: Any) -> Keeping:
    more = {"policy": MEANS} | more
    return Keeping(means(VECTORS, completes(answer)), clock=clock, **more)


async def test_a_prompt_that_means_the_same_gets_the_same_answer(clock: FakeClock) -> None:
    rig = knowing(clock, accounts=BOUNDED)
    told = [await rig.told(cold(text)) for text in (FRANCE, ALIKE, SPAIN, COLOUR)]
    assert told == ["miss", "hit", "miss", "miss"]
    rig.assert_balanced()


async def test_every_vector_and_every_hit_is_booked(clock: FakeClock) -> None:
    rig = knowing(clock, accounts=BOUNDED)
    for text in (FRANCE, ALIKE):
        await rig.run(replace(cold(text), end_user="alice"))
    booked = [(entry.kind, entry.model, entry.status, entry.meters.tokens) for entry in rig.entries]
    assert booked == [
        ("embedding", "e", "settled", 3),
        ("chat", "m", "settled", 15),
        ("embedding", "e", "settled", 3),
        ("chat", "m", "cached", 0),
    ]
    assert len({entry.end_user_id for entry in rig.entries}) == 1
    assert len({entry.id for entry in rig.entries}) == 4


async def test_the_same_bytes_are_found_without_a_vector(clock: FakeClock) -> None:
    rig = knowing(clock)
    for _ in range(2):
        await rig.run(cold(FRANCE))
    assert [entry.kind for entry in rig.entries] == ["embedding", "chat", "chat"]


async def test_other_parameters_and_other_conversations_are_other_spaces(clock: FakeClock) -> None:
    rig = knowing(clock)
    await rig.run(cold(FRANCE))
    assert await rig.told(cold(ALIKE, max_tokens=5)) == "miss"
    shouting = [{"role": "system", "content": "Shout."}, {"role": "user", "content": ALIKE}]
    assert await rig.told(cold(messages=shouting)) == "miss"


async def test_no_tenant_finds_what_another_was_told(clock: FakeClock) -> None:
    alices = knowing(clock, "canary")
    bobs = knowing(clock, "other", cache=alices.cache, tenant_id=OTHER_TENANT)
    bobs.gateway.recall._meanings = alices.gateway.recall._meanings
    await alices.run(cold(FRANCE))
    for text in (FRANCE, ALIKE):
        assert b"canary" not in (await bobs.run(cold(text))).reply.body
    assert (await alices.cache.status(TENANT)).entries > 0


async def test_a_vector_that_cannot_be_had_hinders_nothing(clock: FakeClock) -> None:
    async def ill(request: Any) -> Any:
        return await (fails(ProviderRejected()) if "embeddings" in request.url else completes())(request)

    rig = Keeping(ill, clock=clock, policy=MEANS)
    assert await rig.told(cold(FRANCE)) == "miss"
    assert [(entry.kind, entry.status) for entry in rig.entries] == [
        ("embedding", "failed"),
        ("chat", "settled"),
    ]


async def test_an_embedding_model_that_the_key_may_not_use_is_not_asked(clock: FakeClock) -> None:
    rig = knowing(clock)
    rig.gateway.directory = MemoryDirectory({KEY: replace(rig.principal, models=("m",))})
    assert [await rig.told(cold(text)) for text in (FRANCE, ALIKE)] == ["miss", "miss"]
    assert {entry.kind for entry in rig.entries} == {"chat"}


@pytest.mark.parametrize("threshold", [0.9, 0.999])
async def test_the_policy_says_how_near_is_near(clock: FakeClock, threshold: float) -> None:
    rig = knowing(clock, policy=replace(MEANS, semantic_threshold=threshold))
    await rig.run(cold(FRANCE))
    assert await rig.told(cold(ALIKE)) == ("hit" if threshold == 0.9 else "miss")


async def test_without_a_model_nothing_is_asked(clock: FakeClock) -> None:
    rig = knowing(clock, policy=Policy(cache="deterministic"))
    await rig.run(cold(FRANCE))
    assert [entry.kind for entry in rig.entries] == ["chat"]


async def test_what_the_cache_has_no_part_in_is_not_asked_for_its_meaning(clock: FakeClock) -> None:
    rig = knowing(clock)
    await rig.run(make_ask(FRANCE, temperature=1))
    assert [entry.kind for entry in rig.entries] == ["chat"]


async def test_a_meaning_outlives_no_answer(clock: FakeClock) -> None:
    rig = knowing(clock)
    await rig.run(cold(FRANCE))
    await rig.cache.clear(TENANT)
    assert await rig.told(cold(ALIKE)) == "miss"
