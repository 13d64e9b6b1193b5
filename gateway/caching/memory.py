"""Kept answers in the memory of one process: those used longest ago give way."""

from collections import OrderedDict
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.caching.values import NOTHING_FOUND, CacheStatus, Chosen, Found, Stored
from gateway.ports import Clock

CACHE_BYTES = 256 * 1024 * 1024
CLEANUP_SECONDS = 300.0
_TENANTS_AT_MOST = 10_000
"""Whose counts are remembered though nothing of theirs is kept."""


class _Entry(Struct, frozen=True, gc=False):
    stored: Stored
    found: Found
    until: float


class MemoryCache:
    """Of many calls of one process that miss at once, each goes on: sharing an answer is not for a store."""

    is_on = True

    def __init__(
        self,
        clock: Clock,
        *,
        bytes_at_most: int = CACHE_BYTES,
        entries_at_most: int = 0,
        cleanup_seconds: float = CLEANUP_SECONDS,
    ) -> None:
        self._clock = clock
        self._bytes_at_most = bytes_at_most
        self._entries_at_most = entries_at_most
        self._cleanup_seconds = cleanup_seconds
        self._clean_at = clock.monotonic() + cleanup_seconds
        self._entries: OrderedDict[tuple[UUID, str], _Entry] = OrderedDict()
        self._size = 0
        self._statuses: dict[UUID, CacheStatus] = {}

    async def find(self, tenant: UUID, key: str, *, lead_seconds: float = 0.0) -> Found:
        """What is kept under a key, if its time is not over."""
        name = (tenant, key)
        entry = self._entries.get(name)
        if entry is not None and entry.until <= self._clock.monotonic():
            self._drop(name)
            entry = None
        status = self._status(tenant)
        if entry is None:
            status.misses += 1
            return NOTHING_FOUND
        self._entries.move_to_end(name)
        status.hits += 1
        status.saved_nano += entry.stored.saved_nano
        return entry.found

    async def keep(self, tenant: UUID, key: str, stored: Stored) -> None:
        """Keep one; one that is more than all there may be is not kept."""
        self._drop((tenant, key))
        if stored.size > self._bytes_at_most:
            return
        now = self._clock.monotonic()
        self._entries[tenant, key] = _Entry(
            stored, Found(answer=stored.answer, leads=False), now + stored.seconds
        )
        self._count(tenant, 1, stored.size)
        if now >= self._clean_at:
            self._clean_at = now + self._cleanup_seconds
            self._drop_old()
        while self._size > self._bytes_at_most or 0 < self._entries_at_most < len(self._entries):
            self._drop(next(iter(self._entries)))

    async def release(self, tenant: UUID, key: str) -> None:
        """Nobody waits here."""

    async def clear(self, tenant: UUID, chosen: Chosen | None = None) -> int:
        """Keep a tenant's no longer; how many there were."""
        self._drop_old()
        theirs = [name for name in self._entries if name[0] == tenant]
        meant = [name for name in theirs if chosen is None or chosen(self._entries[name].stored.label)]
        for name in meant:
            self._drop(name)
        return len(meant)

    async def status(self, tenant: UUID) -> CacheStatus:
        """A tenant's part."""
        self._drop_old()
        return replace(self._status(tenant))

    def _drop_old(self) -> None:
        now = self._clock.monotonic()
        for name in [name for name, entry in self._entries.items() if entry.until <= now]:
            self._drop(name)

    def _drop(self, name: tuple[UUID, str]) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._count(name[0], -1, -entry.stored.size)

    def _count(self, tenant: UUID, entries: int, size: int) -> None:
        self._size += size
        status = self._status(tenant)
        status.entries += entries
        status.size += size

    def _status(self, tenant: UUID) -> CacheStatus:
        status = self._statuses.get(tenant)
        if status is None:
            if len(self._statuses) >= _TENANTS_AT_MOST:
                self._statuses = {one: told for one, told in self._statuses.items() if told.entries}
            status = self._statuses[tenant] = CacheStatus()
        return status
