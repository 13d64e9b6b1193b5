"""A write to the configuration is heard of at once, where PostgreSQL is there to tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from tenants.notices import Notices
from tests.support.clock import FakeClock, RestingClock

WRITE = "UPDATE tenants_tenant SET name = name"

pytestmark = pytest.mark.usefixtures("postgresql_connection")


class Looks:
    """Counts how often somebody looked."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Event()

    async def look(self) -> None:
        self.count += 1
        self._changed.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.count < count:
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def listening(conninfo: str, clock: FakeClock) -> AsyncIterator[Looks]:
    looks = Looks()
    task = asyncio.create_task(Notices(conninfo=conninfo, clock=clock, look=looks.look).run())
    yield looks
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_write_is_heard_of_at_once(postgresql_url: str) -> None:
    async with listening(postgresql_url, FakeClock()) as looks:
        await looks.reach(1)
        async with await psycopg.AsyncConnection.connect(postgresql_url, autocommit=True) as connection:
            for count in (2, 3):
                await connection.execute(WRITE)
                await looks.reach(count)


async def test_a_lost_connection_is_made_again(postgresql_url: str) -> None:
    clock = RestingClock()
    async with listening(postgresql_url, clock) as looks:
        await looks.reach(1)
        async with await psycopg.AsyncConnection.connect(postgresql_url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            )
            await asyncio.wait_for(clock.rests.wait(), 10)
            clock.advance(clock.slept[-1])
            await looks.reach(2)
            await connection.execute(WRITE)
            await looks.reach(3)
