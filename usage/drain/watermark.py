"""Whether a line is in the ledger yet, for answers that wait for PostgreSQL too."""

import asyncio
from typing import Any

from redis.asyncio import Redis

from usage.books.shards import shard_key
from usage.drain.failures import Away, redis_faults

_PAUSE = 0.005
_NOWHERE = (0, 0)


class Watermark:
    """Looks at the shards' `drained` marks while somebody waits; all who wait for one look together."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._looks: dict[int, asyncio.Task[tuple[int, int]]] = {}

    async def passed(self, shard: int, stream_id: str, *, within: float) -> bool:
        """Whether the line is committed, or set aside as poisoned, before so many seconds are over."""
        asked = _parts(stream_id)
        try:
            async with asyncio.timeout(within):
                while await self._look(shard) < asked:
                    pass
        except TimeoutError:
            return False
        return True

    async def _look(self, shard: int) -> tuple[int, int]:
        look = self._looks.get(shard)
        if look is None:
            look = self._looks[shard] = asyncio.create_task(self._read(shard))
            look.add_done_callback(lambda _: self._looks.pop(shard))
        return await asyncio.shield(look)

    async def _read(self, shard: int) -> tuple[int, int]:
        """The mark, after a pause; while Redis is away nothing is known to be drained."""
        await asyncio.sleep(_PAUSE)
        try:
            with redis_faults():
                mark: Any = await self._redis.hget(shard_key(shard, "state"), "drained")
        except Away:
            return _NOWHERE
        return _parts(mark.decode()) if mark else _NOWHERE


def _parts(stream_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence)
