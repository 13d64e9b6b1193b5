"""What every store of kept answers does alike."""

import pytest

from gateway.caching.values import Stored
from gateway.ports import Cache
from tests.support.clock import FakeClock
from tests.support.engine import OTHER_TENANT, TENANT
from tests.usage.caching.conftest import BYTES_AT_MOST


def stored(answer: bytes = b"answer", label: bytes = b"label", seconds: float = 60) -> Stored:
    return Stored(answer=answer, label=label, saved_nano=7, seconds=seconds)


async def test_what_is_kept_is_found(cache: Cache) -> None:
    assert (await cache.find(TENANT, "a")).answer is None
    await cache.keep(TENANT, "a", stored(b"\x00\xff\r\n"))
    found = await cache.find(TENANT, "a")
    assert (found.answer, found.leads) == (b"\x00\xff\r\n", False)


async def test_the_latest_is_found(cache: Cache) -> None:
    for answer in (b"old", b"new"):
        await cache.keep(TENANT, "a", stored(answer))
    assert (await cache.find(TENANT, "a")).answer == b"new"
    assert (await cache.status(TENANT)).entries == 1


async def test_a_tenants_are_its_own(cache: Cache) -> None:
    await cache.keep(TENANT, "a", stored())
    assert (await cache.find(OTHER_TENANT, "a")).answer is None
    assert (await cache.status(OTHER_TENANT)).entries == 0
    assert await cache.clear(OTHER_TENANT) == 0
    assert (await cache.find(TENANT, "a")).answer is not None


async def test_its_time_is_over(cache: Cache, clock: FakeClock) -> None:
    await cache.keep(TENANT, "a", stored(seconds=10))
    clock.advance(9)
    assert (await cache.find(TENANT, "a")).answer is not None
    clock.advance(2)
    assert (await cache.find(TENANT, "a")).answer is None
    status = await cache.status(TENANT)
    assert (status.entries, status.size) == (0, 0)


async def test_hits_misses_and_what_they_save_are_counted(cache: Cache) -> None:
    await cache.find(TENANT, "a")
    await cache.keep(TENANT, "a", stored())
    for _ in range(3):
        await cache.find(TENANT, "a")
    status = await cache.status(TENANT)
    assert (status.hits, status.misses, status.saved_nano) == (3, 1, 21)
    assert (status.entries, status.size, status.is_away) == (1, stored().size, False)


async def test_there_is_room_for_so_much(cache: Cache, clock: FakeClock) -> None:
    for number in range(30):
        await cache.keep(TENANT, str(number), stored(b"x" * 1_000))
        clock.advance(0.001)
    status = await cache.status(TENANT)
    assert status.entries == BYTES_AT_MOST // stored(b"x" * 1_000).size
    assert status.size <= BYTES_AT_MOST
    assert (await cache.find(TENANT, "29")).answer is not None
    assert (await cache.find(TENANT, "0")).answer is None


async def test_what_is_more_than_all_there_may_be_is_not_kept(cache: Cache) -> None:
    await cache.keep(TENANT, "a", stored())
    await cache.keep(TENANT, "b", stored(b"x" * BYTES_AT_MOST))
    assert [(await cache.find(TENANT, key)).answer is None for key in ("a", "b")] == [False, True]


async def test_all_or_some_are_cleared(cache: Cache) -> None:
    for number in range(6):
        await cache.keep(TENANT, str(number), stored(label=b"odd" if number % 2 else b"even"))
    assert await cache.clear(TENANT, lambda label: label == b"odd") == 3
    assert [(await cache.find(TENANT, key)).answer is None for key in ("0", "1")] == [False, True]
    assert await cache.clear(TENANT) == 3
    status = await cache.status(TENANT)
    assert (status.entries, status.size) == (0, 0)
    assert (status.hits, status.misses) == (1, 1)


@pytest.mark.parametrize("number", [1, 450])
async def test_many_are_cleared(cache: Cache, number: int) -> None:
    small = Stored(answer=b"", label=b"l", saved_nano=0, seconds=60)
    for key in range(number):
        await cache.keep(TENANT, str(key), small)
    there = (await cache.status(TENANT)).entries
    assert await cache.clear(TENANT) == there
    assert (await cache.status(TENANT)).entries == 0


async def test_in_one_process_nobody_waits(cache: Cache) -> None:
    for _ in range(2):
        found = await cache.find(TENANT, "a", lead_seconds=10)
        assert (found.answer, found.leads) == (None, True)
    await cache.release(TENANT, "a")
