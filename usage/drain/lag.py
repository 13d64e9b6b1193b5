"""How far the ledger is behind: what readiness and metrics want to know of the journal."""

from msgspec import Struct
from redis.asyncio import Redis

from usage.books.shards import SHARDS, journal_key, shard_key
from usage.drain.failures import redis_faults
from usage.drain.journal import GROUP


class Backlog(Struct, frozen=True, kw_only=True):
    """What the shards together have that the ledger does not."""

    length: int
    """Lines in the journal, those in a drainer's hands included."""
    pending: int
    """Lines in a drainer's hands."""
    oldest_seconds: float
    """How long the oldest line has waited; 0 when there is none."""
    poisoned: int
    """Lines that could not be rows and wait for a person."""


async def read_backlog(redis: Redis) -> Backlog:
    """Look at all shards in one round trip, or `Away`; the clock is that of Redis, which stamps the lines."""
    with redis_faults():
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for shard in range(SHARDS):
                pipeline.xlen(journal_key(shard))
                pipeline.xpending(journal_key(shard), GROUP)
                pipeline.xrange(journal_key(shard), count=1)
                pipeline.xlen(shard_key(shard, "poisoned"))
            answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not str(answer).startswith("NOGROUP"):
                raise answer
    (seconds, microseconds), *looks = answers
    lengths, hands, firsts, poisoned = (looks[question::4] for question in range(4))
    now = seconds + microseconds / 1e6
    return Backlog(
        length=sum(lengths),
        pending=sum(one["pending"] for one in hands if not isinstance(one, Exception)),
        oldest_seconds=max((now - _seconds(first[0][0]) for first in firsts if first), default=0.0),
        poisoned=sum(poisoned),
    )


def _seconds(stream_id: bytes) -> float:
    return int(stream_id.partition(b"-")[0]) / 1000
