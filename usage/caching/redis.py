"""Kept answers on Redis: each tenant's under a tag of its own, by one script.

Those whose time is over soonest give way to new ones. What is kept is sealed before it comes here.
"""

import re
from hashlib import sha1
from pathlib import Path
from secrets import token_hex
from typing import cast
from uuid import UUID

from gateway.caching.errors import CacheAway
from gateway.caching.memory import CACHE_BYTES
from gateway.caching.values import NOTHING_FOUND, CacheStatus, Chosen, Found, Stored
from gateway.memory import SystemClock
from gateway.ports import Clock
from usage.books.connection import Connection, Reply
from usage.caching.pipe import Pipe

ANSWERS_WITHIN = 0.5
"""Seconds that Redis has; then the provider is asked."""
FULLEST = 0.8
"""Of the memory that Redis may have: it may hold the books too, and they need room."""
LOOK_EVERY = 5.0
_AT_ONCE = 200

_SCRIPT = (Path(__file__).parent / "cache.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
_MEMORY = re.compile(rb"^(used_memory|maxmemory):(\d+)", re.MULTILINE)


class RedisCache:
    """What all processes keep together."""

    is_on = True

    def __init__(
        self,
        url: str,
        *,
        bytes_at_most: int,
        entries_at_most: int = 0,
        clock: Clock | None = None,
        pipe: Pipe | None = None,
    ) -> None:
        self._given = clock
        self._clock = clock or SystemClock()
        self.pipe = pipe or Pipe(Connection(url, timeout=ANSWERS_WITHIN), self._clock)
        self._bounds = (b"%d" % bytes_at_most, b"%d" % entries_at_most)
        self._bytes_at_most = bytes_at_most
        self._who = token_hex(8).encode()
        """This process: of its own calls one more may look for an answer that one is looking for."""
        self._is_full = False
        self._looked_at = float("-inf")

    async def find(self, tenant: UUID, key: str, *, lead_seconds: float = 0.0) -> Found:
        """What is kept under a key."""
        lead_ms = b"%d" % round(lead_seconds * 1000)
        try:
            answer, leads = cast(
                list[Reply], await self._run(tenant, b"find", key.encode(), self._who, lead_ms)
            )
        except CacheAway:
            return NOTHING_FOUND
        return Found(answer=cast(bytes | None, answer), leads=leads == 1)

    async def keep(self, tenant: UUID, key: str, stored: Stored) -> None:
        """Keep one, if there is room."""
        try:
            if stored.size > self._bytes_at_most or await self._has_no_room():
                await self._run(tenant, b"release", key.encode(), self._who)
                return
            told = (stored.answer, stored.label, b"%d" % stored.saved_nano, b"%d" % stored.size)
            milliseconds = b"%d" % max(1, round(stored.seconds * 1000))
            await self._run(tenant, b"keep", key.encode(), self._who, *told, milliseconds, *self._bounds)
        except CacheAway:
            return

    async def release(self, tenant: UUID, key: str) -> None:
        """Let another process look for the answer."""
        try:
            await self._run(tenant, b"release", key.encode(), self._who)
        except CacheAway:
            return

    async def clear(self, tenant: UUID, chosen: Chosen | None = None) -> int:
        """Keep those that are chosen no longer; `CacheAway` if that cannot be."""
        meant, start = list[bytes](), 0
        while told := cast(list[bytes], await self._run(tenant, b"labels", b"%d" % start)):
            pairs = zip(told[::2], told[1::2], strict=True)
            meant += [name for name, label in pairs if chosen is None or (label and chosen(label))]
            start += _AT_ONCE
        batches = [meant[at : at + _AT_ONCE] for at in range(0, len(meant), _AT_ONCE)]
        return sum([cast(int, await self._run(tenant, b"clear", *names)) for names in batches])

    async def status(self, tenant: UUID) -> CacheStatus:
        """A tenant's part."""
        try:
            told = cast(list[int], await self._run(tenant, b"status"))
        except CacheAway:
            return CacheStatus(is_away=True)
        return CacheStatus(entries=told[0], size=told[1], hits=told[2], misses=told[3], saved_nano=told[4])

    async def close(self) -> None:
        """Hang up."""
        await self.pipe.close()

    async def _run(self, tenant: UUID, asked: bytes, *arguments: bytes) -> Reply:
        now_ms = 0 if self._given is None else round(self._given.now() * 1000)
        counts = tenant_key(tenant, "n")
        return await self.pipe.run(_DIGEST, _SCRIPT, b"1", counts, asked, b"%d" % now_ms, *arguments)

    async def _has_no_room(self) -> bool:
        """Whether Redis is nearly full, as of some seconds ago."""
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            told = await self.pipe.ask(b"INFO", b"memory")
            found = dict(_MEMORY.findall(told)) if isinstance(told, bytes) else {}
            most = int(found.get(b"maxmemory", 0))
            self._is_full = most > 0 and int(found.get(b"used_memory", 0)) > FULLEST * most
        return self._is_full


def tenant_key(tenant: UUID, name: str) -> bytes:
    """A key of a tenant's; the tag in braces keeps them together on a cluster."""
    return f"gw-cache:{{{tenant.hex}}}:{name}".encode()


def redis_cache(url: str) -> RedisCache:
    """A cache at an address, for a gateway in a script; Dragonfly's addresses are Redis's by another name."""
    scheme, _, rest = url.partition("://")
    return RedisCache(f"{_SCHEMES.get(scheme, scheme)}://{rest}", bytes_at_most=CACHE_BYTES)


_SCHEMES = {"dragonfly": "redis", "dragonflys": "rediss"}
