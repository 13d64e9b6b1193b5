"""Many processes that miss the same answer at once: one looks for it, and the others wait, within bounds."""

from uuid import UUID

import pytest

from gateway.caching.memory import MemoryCache
from gateway.caching.values import Found, Stored
from gateway.call import CacheWish
from gateway.errors import ProviderRejected
from gateway.steps.recall import LEAD_SECONDS
from tests.support.clock import FakeClock
from tests.support.keeping import Keeping, begun, cold
from tests.support.script import Act, Listener, completes, fails, hangs, streams


class Led(MemoryCache):
    """Another process leads until it has kept, released, or has had too long."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.leader: object = None
        self.until = 0.0
        self.asked_for: list[float] = []

    async def find(self, tenant: UUID, key: str, *, lead_seconds: float = 0.0) -> Found:
        found = await super().find(tenant, key)
        self.asked_for.append(lead_seconds)
        if found.answer is not None or not lead_seconds:
            return found
        if self.leader is None or self._clock.monotonic() >= self.until:
            self.leader, self.until = key, self._clock.monotonic() + lead_seconds
            return Found(leads=True)
        return Found(leads=False)

    async def keep(self, tenant: UUID, key: str, stored: Stored) -> None:
        await super().keep(tenant, key, stored)
        self.leader = None

    async def release(self, tenant: UUID, key: str) -> None:
        self.leader = None


def processes(*acts: Act, clock: FakeClock) -> list[Keeping]:
    """Gateways with one cache, each with a provider that does one of these."""
    cache = Led(clock)
    return [Keeping(act, clock=clock, cache=cache) for act in acts]


async def test_one_asks_the_provider_and_the_others_get_its_answer(clock: FakeClock) -> None:
    rigs = processes(*[completes()] * 4, clock=clock)
    calls = await begun(*(rig.gateway.run(rig.call(cold())) for rig in rigs))
    await clock.turn(1)
    assert sorted([(await call).served.cache for call in calls]) == ["hit", "hit", "hit", "miss"]
    assert sum(rig.asked for rig in rigs) == 1


async def test_when_the_first_fails_the_next_one_asks(clock: FakeClock) -> None:
    rigs = processes(fails(ProviderRejected()), completes(), completes(), clock=clock)
    first, *others = await begun(*(rig.gateway.run(rig.call(cold())) for rig in rigs))
    with pytest.raises(ProviderRejected):
        await first
    await clock.turn(1)
    assert sorted([(await call).served.cache for call in others]) == ["hit", "miss"]
    assert sum(rig.asked for rig in rigs) == 2


@pytest.mark.parametrize(("patience", "seconds"), [(None, LEAD_SECONDS), (4.0, 2.0)])
async def test_nobody_waits_for_ever(clock: FakeClock, patience: float | None, seconds: float) -> None:
    cache = Led(clock)
    cache.leader, cache.until = "another process", 1e9
    rig = Keeping(completes(), clock=clock, cache=cache)
    (call,) = await begun(rig.gateway.run(rig.call(cold(), timeout=patience)))
    await clock.turn(seconds - 0.5)
    assert not call.done()
    await clock.turn(0.6)
    assert (await call).served.cache == "miss"


async def test_who_leaves_lets_another_go_first(clock: FakeClock) -> None:
    rigs = processes(hangs(), completes(), clock=clock)
    first, second = await begun(*(rig.gateway.run(rig.call(cold())) for rig in rigs))
    first.cancel()
    await clock.turn(1)
    assert (await second).served.cache == "miss"


async def test_streams_do_not_wait_for_the_whole_of_another(clock: FakeClock) -> None:
    cache = Led(clock)
    rig = Keeping(streams(b"data: [DONE]\n\n"), clock=clock, cache=cache)
    await rig.gateway.run(rig.call(cold(stream=True)), Listener())
    assert cache.asked_for == [0.0]


async def test_who_keeps_nothing_is_not_waited_for(clock: FakeClock) -> None:
    cache = Led(clock)
    rig = Keeping(completes(), clock=clock, cache=cache)
    await rig.run(cold(), cache=CacheWish(keeps=False))
    assert cache.asked_for == [0.0]
