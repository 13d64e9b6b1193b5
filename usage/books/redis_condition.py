"""Whether a Redis may be relied on: what it evicts, what it writes to disk, what its shards say."""

from msgspec import Struct

from usage.books.redis_shards import Shards
from usage.books.shards import SHARDS


class Condition(Struct, frozen=True, kw_only=True):
    """What is not as it should be; nothing is said of what is."""

    wrong: tuple[str, ...] = ()
    """Why no calls should come to this process."""
    doubtful: tuple[str, ...] = ()
    """What people should know."""


async def look_at_server(shards: Shards) -> Condition:
    """What there is to say of Redis and its shards, or `BooksAway`."""
    told = _read(await shards.command(b"INFO", b"memory"))
    told |= _read(await shards.command(b"INFO", b"persistence"))
    told |= _read(await shards.command(b"INFO", b"replication"))
    wrong, doubtful = [], []
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        wrong.append(f"maxmemory-policy is {policy}, which forgets budgets: it has to be noeviction")
    if told.get("aof_enabled", "1") != "1":
        doubtful.append("appendonly is off: a restart of Redis loses holds and entries")
    wanted, following = shards.terms.replicas, int(told.get("connected_slaves", 0))
    if following < wanted:
        wrong.append(f"{following} replicas follow, and {wanted} have to hear of every call")
    for status in ("lost", "rebuilding"):
        if such := [shard for shard, known in shards.status.items() if known == status]:
            wrong.append(f"{status}: {len(such)} of {SHARDS} shards")
    if len(shards.status) < SHARDS:
        wrong.append("not every shard has been reached yet")
    return Condition(wrong=tuple(wrong), doubtful=tuple(doubtful))


def _read(told: object) -> dict[str, str]:
    lines = told.decode().splitlines() if isinstance(told, bytes) else []
    return dict(line.split(":", 1) for line in lines if ":" in line)
