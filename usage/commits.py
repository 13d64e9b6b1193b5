"""Answers that wait for PostgreSQL too: their entry is in the ledger, and not only in the journal."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.entry import Entry
from gateway.errors import BooksAway
from usage.books.shards import journal_key, shard_of
from usage.drain.watermark import Watermark
from usage.ledger import entries_known


class Commits:
    """Waits until entries are committed."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watermark = Watermark(redis)

    async def commit(self, entry: Entry, *, within: float) -> None:
        """Wait until the ledger has an entry; `BooksAway` if it has not in time.

        The shard's last line is no earlier than the entry's. A line that was set aside, or an entry that
        was spilled, is not in the ledger though everything is drained.
        """
        try:
            async with asyncio.timeout(within):
                is_committed = await self._is_committed(entry, within)
        except (RedisError, TimeoutError) as error:
            raise BooksAway from error
        if not is_committed:
            raise BooksAway

    async def _is_committed(self, entry: Entry, within: float) -> bool:
        shard = shard_of(entry.tenant_id)
        last: Any = await self._redis.xrevrange(journal_key(shard), count=1)
        if last and not await self._watermark.passed(shard, last[0][0].decode(), within=within):
            return False
        return entry.id in await entries_known([entry.id])
