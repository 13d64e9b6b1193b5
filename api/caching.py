"""Where a process keeps answers: in its own memory, or on Redis together with others."""

from django.conf import settings

from gateway.caching.meanings import MemoryMeanings
from gateway.caching.memory import MemoryCache
from gateway.memory import NoCache
from gateway.ports import Cache, Clock, Meanings, Vault
from usage.caching.meanings import RedisMeanings
from usage.caching.redis import RedisCache


class Caching:
    """Both stores, and how to let go of them."""

    def __init__(self, clock: Clock, vault: Vault) -> None:
        self.cache: Cache = NoCache()
        self.meanings: Meanings | None = None
        self._redis: RedisCache | None = None
        if not settings.GATEWAY_CACHE_ON:
            return
        if settings.GATEWAY_CACHE_URL:
            self.cache = self._redis = RedisCache(
                settings.GATEWAY_CACHE_URL,
                bytes_at_most=settings.GATEWAY_CACHE_BYTES,
                entries_at_most=settings.CACHE_MAX_SIZE,
            )
            self.meanings = RedisMeanings(self._redis.pipe, vault)
        else:
            self.cache = MemoryCache(
                clock,
                bytes_at_most=settings.GATEWAY_CACHE_BYTES,
                entries_at_most=settings.CACHE_MAX_SIZE,
                cleanup_seconds=settings.CACHE_CLEANUP_INTERVAL,
            )
            self.meanings = MemoryMeanings()

    async def close(self) -> None:
        """Hang up."""
        if self._redis is not None:
            await self._redis.close()
