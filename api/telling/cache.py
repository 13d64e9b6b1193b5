"""What is kept of a tenant's answers, and what it is to keep no longer."""

from fnmatch import fnmatchcase
from typing import Any

from api.telling.desk import Desk, Question
from api.telling.facts import CacheFact, Clearing
from api.telling.rights import owner_check
from gateway.caching.kept import open_label
from gateway.caching.values import CacheStatus
from gateway.errors import GatewayError

_NANO = 1_000_000_000
_MEGABYTE = 1024 * 1024


async def tell_cache(desk: Desk, question: Question) -> CacheFact:
    """How much is kept for the tenant, and how often that was of use."""
    return cache_fact(await desk.cache.status(question.principal.tenant_id))


async def clear_cache(desk: Desk, question: Question) -> dict[str, Any]:
    """Keep answers of the tenant no longer."""
    principal, meant = question.principal, question.asked
    owner_check(principal)
    assert isinstance(meant, Clearing)  # noqa: S101 - what its door reads

    def is_meant(sealed: bytes) -> bool:
        try:
            label = open_label(sealed, desk.vault)
        except GatewayError:  # of a key that the ring has lost: nobody can read the answer either
            return True
        is_theirs = meant.user_id in (None, label.user)
        return is_theirs and (meant.pattern is None or fnmatchcase(label.name, meant.pattern))

    chosen = None if meant == Clearing() else is_meant
    cleared = await desk.cache.clear(principal.tenant_id, chosen)
    return {"entries_cleared": cleared, "pattern": meant.pattern, "user_id": meant.user_id}


def cache_fact(status: CacheStatus) -> CacheFact:
    """In the words of the doors."""
    asked = status.hits + status.misses
    return CacheFact(
        status="disabled" if not status.is_on else "unavailable" if status.is_away else "healthy",
        total_entries=status.entries,
        total_size_mb=round(status.size / _MEGABYTE, 3),
        hits=status.hits,
        misses=status.misses,
        hit_rate=round(status.hits / asked, 4) if asked else 0.0,
        saved_usd=status.saved_nano / _NANO,
    )
