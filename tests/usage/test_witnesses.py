"""Why a call went as it did is known to the process that made it, and told to whoever asks another one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import pytest

from gateway.memory import SystemClock
from gateway.ports import Witnesses
from gateway.reasons import OneProcess, Recent
from tests.support.engine import OTHER_TENANT, TENANT, make_reasons
from tests.support.ports import free_port
from usage import witnesses
from usage.witnesses import RedisWitnesses

WITHIN = 10.0
Process = tuple[Recent, RedisWitnesses]
Open = Callable[..., Awaitable[Process]]


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def opened(redis_url: str) -> AsyncIterator[Open]:
    """Opens what each process has; it hears questions when this returns."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str = redis_url, *, listens: bool = True) -> Process:
            recent = Recent(SystemClock())
            one = RedisWitnesses(url, recent=recent, clock=SystemClock())
            stack.push_async_callback(one.close)
            if listens:
                listening = asyncio.create_task(one.listen())
                stack.push_async_callback(ended, listening)
                async with asyncio.timeout(WITHIN):
                    await one.listens.wait()
            return recent, one

        yield open_one


@pytest.fixture(params=["memory", "redis"])
async def each(request: pytest.FixtureRequest, opened: Open) -> tuple[Recent, Witnesses]:
    if request.param == "redis":
        return await opened()
    recent = Recent(SystemClock())
    return recent, OneProcess(recent)


async def test_a_process_knows_its_own(each: tuple[Recent, Witnesses]) -> None:
    recent, asked = each
    own, theirs = make_reasons(), make_reasons(tenant_id=OTHER_TENANT)
    recent.keep(own)
    recent.keep(theirs)
    everybody = await asked.find("req-1", None)
    assert (set(everybody.found), everybody.is_whole) == ({own, theirs}, True)
    assert (await asked.find("req-1", {TENANT})).found == (own,)
    assert (await asked.find("req-1", set())).found == ()
    assert (await asked.find("req-2", None)).found == ()


async def test_each_asks_all(opened: Open) -> None:
    (one, asks), (other, _), (_, hears) = [await opened() for _ in range(3)]
    mine = make_reasons(notes=(("skipped", "alpha/m", "breaker_open"),), status=200)
    yours, theirs = make_reasons(code="rate_limited", status=429), make_reasons(tenant_id=OTHER_TENANT)
    one.keep(mine)
    other.keep(yours)
    other.keep(theirs)
    for asked in (asks, hears):
        told = await asked.find("req-1", {TENANT})
        assert (set(told.found), told.is_whole) == ({mine, yours}, True)


async def test_who_says_nothing_is_not_waited_for_long(
    opened: Open, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setattr(witnesses, "ANSWERED_WITHIN", 0.05)
    recent, asks = await opened()
    _, silent = await opened()

    async def says_nothing(_: bytes) -> None:
        return None

    monkeypatch.setattr(silent, "_tell", says_nothing)
    own = make_reasons()
    recent.keep(own)
    told = await asks.find("req-1", None)
    assert (told.found, told.is_whole) == ((own,), False)


async def test_a_question_that_nobody_understands_is_left_alone(opened: Open) -> None:
    recent, asks = await opened()
    await asks._redis.publish(asks._channel, b"of another version")
    own = make_reasons()
    recent.keep(own)
    told = await asks.find("req-1", None)
    assert (told.found, told.is_whole) == ((own,), True)


async def test_without_redis_a_process_tells_what_it_knows(opened: Open) -> None:
    recent, asks = await opened(f"redis://127.0.0.1:{free_port()}/0", listens=False)
    own = make_reasons()
    recent.keep(own)
    told = await asks.find("req-1", None)
    assert (told.found, told.is_whole) == ((own,), False)


async def test_answers_that_nobody_fetched_are_gone_by_themselves(opened: Open) -> None:
    _, asks = await opened()
    question = witnesses.Question(reply="gw:witnesses:nobody", request_id="req-1", tenants=None)
    await asks._tell(witnesses._encode(question))
    assert 0 < await asks._redis.ttl("gw:witnesses:nobody") <= witnesses.KEPT_SECONDS
