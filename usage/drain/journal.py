"""The Redis side of the drain: one consumer group reads the streams of all shards.

Whatever a drainer took and did not finish stays pending in Redis under its name. So nothing is kept
here: after a failure the drainer reads again what is pending, and only then what is new.
"""

import os
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError
from redis.retry import Retry

from usage.books.shards import LINE, SHARDS, journal_key, shard_key
from usage.drain.failures import redis_faults

GROUP = "ledger"
"""The consumer group of all drainers."""

BLOCK_MS = 500
"""How long a read waits for a line; the end of a drainer waits as long."""

_LINES_A_READ = 50
"""Of each shard: Redis answers no calls meanwhile, and takes two microseconds for a line."""
_LINES_AT_ONCE = SHARDS * _LINES_A_READ
"""What makes a batch worth its commit; a shard that has more lines than others is asked for them again."""
PACE_SECONDS = 0.25
"""How long few lines wait for company: a commit costs as much for one line as for hundreds."""
_TIMEOUT = 5.0
_AT_FIRST = 1.0
"""Who begins takes over sooner: often it follows one that died, and lost shards wait for its lines."""
_LOOK_FOR_DEAD_EVERY = 5.0

_SHARDS = range(SHARDS)
_SHARD_OF = {journal_key(shard).encode(): shard for shard in _SHARDS}
_BEGINNING, _NEW = b"0", b">"
_ALL_NEW: dict[Any, Any] = dict.fromkeys(_SHARD_OF, _NEW)
_FOLDER = Path(__file__).parent
_DONE = (_FOLDER / "done.lua").read_text()
_TAKE_OVER = (_FOLDER / "takeover.lua").read_text()


class Waiting(Struct, frozen=True, kw_only=True, gc=False):
    """An entry of a stream that is not in the ledger yet."""

    shard: int
    id: bytes
    fields: list[bytes]
    """Each name with its value behind it."""

    @property
    def line(self) -> bytes | None:
        """The line, unless it is of a kind that this version does not know."""
        fields = self.fields
        return fields[1] if len(fields) == 2 and fields[0] == LINE else None


class Journal:
    """The streams of all shards, as one drainer sees them."""

    def __init__(
        self,
        url: str,
        *,
        take_over_after: float = 10.0,
        forget_after: float = 3_600.0,
        pace: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        rest: Callable[[float], object] = time.sleep,
    ) -> None:
        # A read that is repeated by the client would leave what the first one took.
        self._redis = Redis.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
        )
        self._redis.set_response_callback("XREADGROUP", _as_told)
        self._monotonic = monotonic
        self._rest = rest
        self._take_over_after = take_over_after
        self._patience = min(_AT_FIRST, take_over_after)
        self._forget_after = forget_after
        self._pace = pace
        self._next_read_at = 0.0
        self._look_for_dead_at = 0.0
        self._pending_after: dict[bytes, bytes] = {}
        self.drainer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        """The name under which Redis knows what this one has in hand."""

    def join(self) -> None:
        """Make the group where it is missing, and begin with what this drainer has in hand."""
        with redis_faults(), self._redis.pipeline(transaction=False) as pipeline:
            for shard in _SHARDS:
                pipeline.xgroup_create(journal_key(shard), GROUP, id=_BEGINNING, mkstream=True)
            for answer in pipeline.execute(raise_on_error=False):
                if isinstance(answer, Exception) and not _is_harmless(answer):
                    raise answer
        self._begin_with_pending()

    def read(self, block_ms: int | None = BLOCK_MS) -> list[Waiting]:
        """The next lines: those in hand first, then new ones, for which it waits if told to."""
        with redis_faults():
            if self._monotonic() >= self._look_for_dead_at:
                self._take_over(self._patience)
                self._patience = self._take_over_after
            if self._pending_after:
                found = self._read(self._pending_after)
                if found:
                    self._pending_after |= {journal_key(one.shard).encode(): one.id for one in found}
                    return found
                self._pending_after = {}
            return self._read_new(block_ms)

    def take_over_all(self) -> None:
        """Take what any drainer has in hand, dead or not: who is alive finds the rows there already."""
        with redis_faults():
            self._take_over(0)

    def finish(self, entries: Sequence[Waiting]) -> None:
        """Take entries out that are in the ledger, and move the marks of their shards."""
        identifiers = defaultdict(list)
        for entry in entries:
            identifiers[entry.shard].append(entry.id)
        with redis_faults(), self._redis.pipeline(transaction=False) as pipeline:
            for shard, ids in identifiers.items():
                pipeline.eval(_DONE, 3, *_keys(shard), GROUP, 0, *ids)
            pipeline.execute()

    def set_aside(self, entry: Waiting, reason: str) -> None:
        """Move an entry that cannot be a row to the shard's `poisoned` stream."""
        kept = [b"id", entry.id, b"reason", reason.encode()]
        kept += entry.fields
        with redis_faults():
            self._redis.eval(_DONE, 3, *_keys(entry.shard), GROUP, len(kept), *kept, entry.id)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _begin_with_pending(self) -> None:
        self._pending_after = dict.fromkeys(_SHARD_OF, _BEGINNING)

    def _take_over(self, idle: float) -> None:
        self._look_for_dead_at = self._monotonic() + _LOOK_FOR_DEAD_EVERY
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in _SHARDS:
                times = (round(idle * 1000), round(self._forget_after * 1000))
                pipeline.eval(_TAKE_OVER, 1, journal_key(shard), GROUP, self.drainer, *times)
            if any(pipeline.execute()):
                self._begin_with_pending()

    def _read_new(self, block_ms: int | None) -> list[Waiting]:
        if block_ms is not None:
            self._rest(max(self._next_read_at - self._monotonic(), 0.0))
        asked = _LINES_A_READ
        found = more = self._read(_ALL_NEW, block_ms=block_ms)
        while len(found) < _LINES_AT_ONCE and (full := _streams_with(more, asked)):
            asked = -(-(_LINES_AT_ONCE - len(found)) // len(full))
            more = self._read(dict.fromkeys(full, _NEW), asked)
            found += more
        if found and len(found) < _LINES_AT_ONCE:
            self._next_read_at = self._monotonic() + self._pace
        return found

    def _read(
        self, after: dict[Any, Any], count: int = _LINES_A_READ, block_ms: int | None = None
    ) -> list[Waiting]:
        answer: Any = self._redis.xreadgroup(GROUP, self.drainer, after, count=count, block=block_ms)
        return [
            Waiting(shard=_SHARD_OF[stream], id=identifier, fields=fields or [])
            for stream, entries in answer
            for identifier, fields in entries
        ]


def _as_told(answer: Any, **_: object) -> Any:
    """An answer as Redis gave it: a dict of each entry's fields would cost more than all else about it."""
    return answer or []


def _streams_with(found: Sequence[Waiting], lines: int) -> list[str]:
    """Those that brought all the lines that they were asked for, and may have more."""
    counts = Counter(entry.shard for entry in found)
    return [journal_key(shard) for shard, count in counts.items() if count >= lines]


def _keys(shard: int) -> tuple[str, str, str]:
    return journal_key(shard), shard_key(shard, "state"), shard_key(shard, "poisoned")


def _is_harmless(answer: Exception) -> bool:
    """The group is there; or Redis is full and makes nothing new, but draining it is what helps."""
    return "BUSYGROUP" in str(answer) or isinstance(answer, OutOfMemoryError)
