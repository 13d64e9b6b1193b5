"""The way to the cache on Redis: whatever callers ask in one turn of the loop goes out together.

While Redis is away, nobody waits for it: after a failure it is not asked for a second.
"""

import asyncio
import logging

from redis.exceptions import NoScriptError, ResponseError

from gateway.caching.errors import CacheAway
from gateway.errors import BooksAway
from gateway.loops import LoopOf
from gateway.ports import Clock
from usage.books.connection import Command, Connection, Reply

AWAY_SECONDS = 1.0

logger = logging.getLogger(__name__)

_Waiting = tuple[Command, "asyncio.Future[Reply]"]


class Pipe:
    """Asks for all who ask at once."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._pump: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._loop = LoopOf()

    @property
    def is_away(self) -> bool:
        """Whether it failed a moment ago."""
        return self._clock.monotonic() < self._away_until

    async def run(self, digest: bytes, script: bytes, *arguments: bytes) -> Reply:
        """What a script says."""
        reply = await self.ask(b"EVALSHA", digest, *arguments)
        if isinstance(reply, NoScriptError):
            reply = await self.ask(b"EVAL", script, *arguments)
        if isinstance(reply, ResponseError):
            self._fail(reply)
            raise CacheAway from reply
        return reply

    async def ask(self, *command: bytes) -> Reply:
        """What Redis says to a command, errors among it."""
        if self.is_away:
            raise CacheAway
        loop = self._loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((command, future))
        if self._pump is None:
            self._pump = loop.create_task(self._carry())
        return await future

    async def close(self) -> None:
        """Hang up, after what is under way."""
        if self._pump is not None:
            await asyncio.wait([self._pump])
        await self._connection.close()

    async def _carry(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever is ready in this turn of the loop comes along
            batch, self._waiting = self._waiting, []
            replies = await self._exchange([command for command, _ in batch])
            for at, (_, future) in enumerate(batch):
                if future.done():
                    continue
                if replies is not None:
                    future.set_result(replies[at])
                    continue
                future.set_exception(CacheAway())
                future.exception()  # a caller who left does not make the loop complain
        self._pump = None

    async def _exchange(self, commands: list[Command]) -> list[Reply] | None:
        """The replies, or nothing while Redis is away."""
        try:
            return await self._connection.exchange(lambda _: commands)
        except BooksAway as error:
            self._fail(error)
        except Exception as error:  # a pump that ends by it would leave all callers waiting for good
            logger.exception("the cache on Redis failed in a way it does not know")
            self._fail(error)
        return None

    def _fail(self, error: Exception) -> None:
        if not self.is_away:
            logger.warning("the cache on Redis is away: %s", type(error.__cause__ or error).__name__)
        self._away_until = self._clock.monotonic() + AWAY_SECONDS
