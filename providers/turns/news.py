"""Hears from Redis which of those that wait here were let in. What is not heard is found by looking."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID, uuid4

from redis.asyncio import Redis

from gateway.ports import Clock
from providers.turns.clerk import connection_pool

_PAUSE = 1.0

logger = logging.getLogger(__name__)

LetIn = Callable[[UUID, int, int], None]
"""Hears of one: its id, the minute that it counts in, and with how many tokens."""


class News:
    """A channel of this process alone."""

    def __init__(self, url: str, *, clock: Clock, let_in: LetIn) -> None:
        self.channel = f"gw:turns:{uuid4().hex}"
        self.listens = asyncio.Event()
        """Set while what is said can be heard."""
        self._url = url
        self._clock = clock
        self._let_in = let_in
        self._hearing: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Go on until cancelled."""
        while True:
            self._hearing = hearing = asyncio.ensure_future(self._hear())
            try:
                await asyncio.wait([hearing])
            finally:
                self.listens.clear()
                hearing.cancel()
                await asyncio.wait([hearing])
            error = None if hearing.cancelled() else hearing.exception()
            if error is not None:
                logger.info("no news of places for a moment: %s", type(error).__name__)
            await self._clock.sleep(_PAUSE)

    def hear_anew(self) -> None:
        """Listen on another connection: one that broke without a word stays silent for hours."""
        if self._hearing is not None:
            self._hearing.cancel()

    async def _hear(self) -> None:
        pool = connection_pool(self._url)
        async with Redis(connection_pool=pool).pubsub() as channel:
            try:
                await channel.subscribe(self.channel)
                async for message in channel.listen():
                    if message["type"] == "subscribe":
                        self.listens.set()
                    elif message["type"] == "message":
                        identifier, window, tokens = message["data"].split()
                        self._let_in(UUID(identifier.decode()), int(window), int(tokens))
            finally:
                await pool.disconnect()
