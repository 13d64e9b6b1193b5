"""Redis is killed, hangs, forgets or loses a reply: calls go on, and places are shared again."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.turns import Quota, QuotaUsedUp
from providers.turns.redis import RedisTurnstile
from tests.providers.turns.conftest import Open
from tests.support.clock import FakeClock
from tests.support.processes import frozen
from tests.support.redis_server import OwnRedis, own_redis
from tests.support.turns import NOISY, QUIET, Guest, make_quota, make_turn
from tests.support.waiting import eventually
from tests.usage.books.proxy import proxied


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """A server that forgets everything when it is started anew."""
    folder: Path = tmp_path_factory.mktemp("redis")
    with own_redis(folder) as server:
        yield server


@pytest.fixture
def server(own_server: OwnRedis) -> OwnRedis:
    """That one, empty."""
    own_server.wipe()
    return own_server


async def test_while_redis_is_away_each_process_keeps_to_the_quota_by_itself(
    server: OwnRedis, opened: Open
) -> None:
    turnstile, quota = await opened(server.url), make_quota(parallel=2)
    first, second = make_turn(), make_turn()
    await turnstile.enter(quota, first, wait=0, most_waiting=0)
    server.kill()
    try:
        await turnstile.enter(quota, second, wait=0, most_waiting=0)
        assert turnstile.is_away
        assert turnstile.busy(quota) == 1.0
        await _refused(turnstile, quota)
        await turnstile.leave(quota, first, tokens=1)
        await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)
        await _refused(turnstile, quota)
    finally:
        server.start()


async def test_a_redis_that_forgot_everything_is_told_of_all_places(server: OwnRedis, opened: Open) -> None:
    turnstile, quota = await opened(server.url), make_quota(parallel=3)
    turns = [make_turn(), make_turn(), make_turn()]
    await turnstile.enter(quota, turns[0], wait=0, most_waiting=0)
    server.kill()
    await turnstile.enter(quota, turns[1], wait=0, most_waiting=0)
    await turnstile.enter(quota, turns[2], wait=0, most_waiting=0)
    await turnstile.leave(quota, turns[2], tokens=1)
    server.start()
    await _until(lambda: _taken(server, quota) == {turns[0].id.hex, turns[1].id.hex})
    other = await opened(server.url)
    await other.enter(quota, make_turn(QUIET), wait=0, most_waiting=0)
    await _refused(other, quota)
    for turn in turns:
        await turnstile.leave(quota, turn, tokens=1)
    await _until(lambda: len(_taken(server, quota)) == 1)


async def test_who_waits_moves_over_when_redis_goes_and_back_when_it_comes(
    server: OwnRedis, opened: Open
) -> None:
    turnstile, quota = await opened(server.url), make_quota(parallel=2)
    turns = [make_turn(), make_turn()]
    for turn in turns:
        await turnstile.enter(quota, turn, wait=0, most_waiting=0)
    guests = [await Guest(turnstile, quota, make_turn(), wait=60).stands_in_line() for _ in range(2)]
    server.kill()
    await _until(lambda: turnstile.is_away)
    await turnstile.leave(quota, turns[0], tokens=1)
    done, _ = await asyncio.wait(
        [guest.task for guest in guests], timeout=10, return_when=asyncio.FIRST_COMPLETED
    )
    assert len(done) == 1
    server.start()
    await _until(lambda: not turnstile.is_away)
    await turnstile.leave(quota, turns[1], tokens=1)
    for guest in guests:
        await guest.is_in()
    await _until(lambda: _taken(server, quota) == {guest.turn.id.hex for guest in guests})


async def test_a_redis_that_hangs_holds_nobody_up_for_long(server: OwnRedis, opened: Open) -> None:
    turnstile, quota = await opened(server.url, reply_timeout=0.2), make_quota(parallel=1)
    listener = _listeners(server)
    with frozen(server.pid):
        await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)
        assert turnstile.is_away
        await _refused(turnstile, quota)
    await _until(lambda: not turnstile.is_away)
    await _refused(turnstile, quota)
    await _until(lambda: _listeners(server) not in (set(), listener))  # the old connection may be dead


async def test_a_place_whose_reply_was_lost_is_given_back(server: OwnRedis, opened: Open) -> None:
    async with proxied(server.port) as proxy:
        turnstile = await opened(f"redis://127.0.0.1:{proxy.port}", reply_timeout=0.5)
        quota, warm = make_quota(parallel=1), make_quota(parallel=1)
        await turnstile.enter(warm, make_turn(), wait=0, most_waiting=0)
        taken = make_turn(NOISY)
        proxy.swallow_after = 0
        await turnstile.enter(quota, taken, wait=0, most_waiting=0)  # by this process alone
        assert _taken(server, quota) == {taken.id.hex}
        await turnstile.leave(quota, taken, tokens=1)
        await _until(lambda: not turnstile.is_away and not _taken(server, quota))
        await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)


async def test_what_a_quota_counts_is_forgotten_when_nobody_uses_it(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    turnstile, quota = await opened(server.url, clock=clock), make_quota(parallel=1, tpm=100)
    turn = make_turn()
    await turnstile.enter(quota, turn, wait=0, most_waiting=0)
    guest = await Guest(turnstile, quota, make_turn()).stands_in_line()
    with server.client as client:
        keys = client.keys("gw:{q:*")
        assert isinstance(keys, list)
        assert len(keys) == 8
        assert all(client.pttl(key) > 0 for key in keys)
    guest.task.cancel()


def _listeners(server: OwnRedis) -> set[str]:
    with server.client as client:
        found = client.client_list(_type="pubsub")
        assert isinstance(found, list)
        return {one["id"] for one in found}


def _taken(server: OwnRedis, quota: Quota) -> set[str]:
    with server.client as client:
        found = client.zrange("gw:{q:" + quota.id + "}:places", 0, -1)
        assert isinstance(found, list)
        return {one.decode() for one in found}


async def _refused(turnstile: RedisTurnstile, quota: Quota) -> None:
    with pytest.raises(QuotaUsedUp):
        await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)


async def _until(look: Callable[[], object]) -> None:
    assert await asyncio.to_thread(eventually, look)
