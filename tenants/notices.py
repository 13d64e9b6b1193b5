"""PostgreSQL's word that the configuration was written: it hastens the look that would come anyway."""

import logging
from collections.abc import Awaitable, Callable

import psycopg

from gateway.ports import Clock
from tenants.triggers import CHANNEL

_AGAIN_AFTER = 2.0

logger = logging.getLogger(__name__)


class Notices:
    """Listens, and looks at each notice; while nothing can be heard, the regular look goes on alone."""

    def __init__(self, *, conninfo: str, clock: Clock, look: Callable[[], Awaitable[None]]) -> None:
        self._conninfo = conninfo
        self._clock = clock
        self._look = look

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                logger.debug("no notices of the configuration: %s", type(error).__name__)
            await self._clock.sleep(_AGAIN_AFTER)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            await self._look()  # what was written before somebody listened
            async for _ in connection.notifies():
                await self._look()
