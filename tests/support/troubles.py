"""What can happen to a fleet. Each trouble is over when its part serves again."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from tests.support.fleet import REDIS, Fleet
from tests.support.processes import frozen

Trouble = Callable[[Fleet, Random], Awaitable[None]]

LONGEST_HANG = 6.0


async def a_web_process_is_told_to_end(fleet: Fleet, random: Random) -> None:
    """It answers whom it has, and another one takes its place."""
    async with fleet.turns.web:
        web = random.choice(fleet.gateway.webs)
        await asyncio.to_thread(web.stop)
        await fleet.start(web)


async def a_web_process_dies(fleet: Fleet, random: Random) -> None:
    """It takes along what only it knew, and another one takes its place."""
    async with fleet.turns.web:
        web = random.choice(fleet.gateway.webs)
        await fleet.kill(web)
        await fleet.start(web)


async def a_web_process_hangs(fleet: Fleet, random: Random) -> None:
    """Others take its calls for lost, and then it comes back and tells how they went."""
    async with fleet.turns.web:
        web = random.choice(fleet.gateway.webs)
        await fleet.freeze(web, min(LONGEST_HANG, fleet.lease_seconds * random.uniform(1.5, 2)))


async def the_drainer_dies(fleet: Fleet, random: Random) -> None:
    """It has lines in its hands, and another one takes its place after a while."""
    async with fleet.turns.drain:
        (drain,) = fleet.gateway.drains
        await asyncio.to_thread(drain.kill)
        await asyncio.sleep(random.uniform(0, 2))
        drain.start()


async def redis_hangs(fleet: Fleet, random: Random) -> None:
    """It says nothing for some seconds, and then does what it was told meanwhile."""
    async with fleet.turns.redis:
        with fleet.silence(REDIS), frozen(fleet.redis.pid):
            await asyncio.sleep(random.uniform(1, LONGEST_HANG))


async def redis_dies(fleet: Fleet, random: Random) -> None:
    """It comes back with what it had written down."""
    async with fleet.turns.redis:
        with fleet.silence(REDIS):
            await asyncio.to_thread(fleet.redis.kill)
            await asyncio.sleep(random.uniform(0, 2))
            await asyncio.to_thread(fleet.redis.start)


async def a_web_process_dies_while_redis_hangs(fleet: Fleet, random: Random) -> None:
    """What it had asked for is done after its death; what it had let in meanwhile, only its disk tells."""
    async with fleet.turns.redis, fleet.turns.web:
        web = random.choice(fleet.gateway.webs)
        with fleet.silence(REDIS), frozen(fleet.redis.pid):
            await asyncio.sleep(random.uniform(0.1, 3))
            await fleet.kill(web)
        await fleet.start(web)


async def postgresql_is_away(fleet: Fleet, random: Random) -> None:
    """It is stopped, and started some seconds later."""
    async with fleet.turns.postgresql:
        await asyncio.to_thread(fleet.postgresql.stop)
        await asyncio.sleep(random.uniform(1, 3))
        await asyncio.to_thread(fleet.postgresql.start)


ALL: tuple[Trouble, ...] = (
    a_web_process_is_told_to_end,
    a_web_process_dies,
    a_web_process_hangs,
    the_drainer_dies,
    redis_hangs,
    redis_dies,
    a_web_process_dies_while_redis_hangs,
    postgresql_is_away,
)
