"""A call that the cache answered is not read anew the next time, unless what it was worked out of changed."""

import gc
import weakref

import pytest
from msgspec.structs import replace

from gateway.caching.familiar import Familiar
from gateway.call import CacheWish
from gateway.errors import GatewayError, RateLimited, UnknownModel
from gateway.memory import MemoryCatalog, MemoryDirectory
from gateway.principal import Policy
from tests.support.clock import FakeClock
from tests.support.engine import KEY, OTHER_TENANT, make_account, make_model, make_snapshot
from tests.support.keeping import CHAT, VECTORS, Keeping, cold
from tests.support.script import completes

ASK = cold("the same again")


@pytest.fixture
def familiar() -> Familiar:
    return Familiar(ASK)


@pytest.fixture
async def rig(clock: FakeClock, familiar: Familiar) -> Keeping:
    """One who has asked it twice: the second time it was a hit."""
    limit = make_account("requests", limit=4, window="day")
    rig = Keeping(completes("kept"), clock=clock, accounts=(limit,))
    assert [await told(rig, familiar), await told(rig, familiar)] == ["miss", "hit"]
    return rig


async def told(rig: Keeping, familiar: Familiar, **origin: object) -> str:
    outcome = await rig.gateway.run(rig.call(familiar.ask, **origin), familiar=familiar)
    await rig.gateway.recall.drain()
    return outcome.served.cache


def knows(rig: Keeping, familiar: Familiar) -> bool:
    call, snapshot = rig.call(familiar.ask), rig.gateway.catalog.snapshot()
    return familiar.open_tab(call, rig.principal, snapshot, 0.0) is not None


async def test_it_is_not_read_anew(rig: Keeping, familiar: Familiar, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> None:
        raise AssertionError("it was read before")

    monkeypatch.setattr("gateway.pipeline.open_tab", nobody)
    monkeypatch.setattr("gateway.steps.recall.key_of", nobody)
    assert await told(rig, familiar) == "hit"
    assert [entry.status for entry in rig.entries] == ["settled", "cached", "cached"]


async def test_it_counts_as_any_other(rig: Keeping, familiar: Familiar) -> None:
    assert [await told(rig, familiar), await told(rig, familiar)] == ["hit", "hit"]
    with pytest.raises(RateLimited):
        await told(rig, familiar)
    assert rig.spent("requests") == len(rig.entries) == 4


async def test_whoever_may_not_use_the_model_any_more_is_refused(rig: Keeping, familiar: Familiar) -> None:
    now = replace(rig.principal, models=("another",))
    rig.gateway.directory = MemoryDirectory({KEY: now})
    with pytest.raises(UnknownModel):
        await told(rig, familiar)


async def test_whose_policy_is_another_is_read_anew(rig: Keeping, familiar: Familiar) -> None:
    rig.gateway.directory = MemoryDirectory({KEY: replace(rig.principal, policy=Policy(cache="off"))})
    assert await told(rig, familiar) == "bypass"


async def test_another_tenant_is_read_anew(rig: Keeping, familiar: Familiar) -> None:
    rig.gateway.directory = MemoryDirectory({KEY: replace(rig.principal, tenant_id=OTHER_TENANT)})
    assert await told(rig, familiar) == "miss"


async def test_a_model_that_is_gone_is_gone(rig: Keeping, familiar: Familiar) -> None:
    rig.gateway.catalog = MemoryCatalog(make_snapshot(make_model(name="another")))
    with pytest.raises(GatewayError, match="does not exist"):
        await told(rig, familiar)


async def test_what_the_caller_says_of_the_cache_counts(rig: Keeping, familiar: Familiar) -> None:
    assert await told(rig, familiar, cache=CacheWish(reads=False)) == "bypass"
    assert await told(rig, familiar) == "hit"


async def test_a_call_with_an_idempotency_key_is_another(rig: Keeping, familiar: Familiar) -> None:
    assert await told(rig, familiar, idempotency_key="once") == "bypass"


async def test_an_answer_whose_time_is_over_is_asked_for(
    rig: Keeping, familiar: Familiar, clock: FakeClock
) -> None:
    clock.advance(3_601)
    assert await told(rig, familiar) == "miss"
    assert knows(rig, familiar)


async def test_one_for_a_person_is_read_anew(clock: FakeClock) -> None:
    """Who is blocked since is refused."""
    rig, familiar = Keeping(completes("kept"), clock=clock), Familiar(replace(ASK, end_user="alice"))
    assert [await told(rig, familiar), await told(rig, familiar)] == ["miss", "hit"]
    assert not knows(rig, familiar)


async def test_a_catalog_that_is_gone_is_not_kept_for_it(rig: Keeping, familiar: Familiar) -> None:
    before = weakref.ref(rig.gateway.catalog.snapshot())
    rig.gateway.catalog = MemoryCatalog(make_snapshot(CHAT, VECTORS))
    gc.collect()
    assert before() is None
    assert not knows(rig, familiar)
