"""Responses that are kept, in a table: at most so many of a tenant, none for longer than a month."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error

from gateway.ports import Clock
from gateway.responses.errors import ConversationsAway
from gateway.responses.keeping import KEPT_AT_MOST, KEPT_SECONDS
from usage.models import KeptResponse

ANSWERS_WITHIN = 5.0
"""Seconds that the database has."""
CUT_EVERY = 16
"""Responses that a process keeps between looks at whether there are too many, or too old ones."""
_OLD_AT_ONCE = 1_000

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


class DatabaseConversations:
    """Keeps what was kept of answers, for all processes."""

    def __init__(self, *, clock: Clock, most: int = KEPT_AT_MOST, cut_every: int = CUT_EVERY) -> None:
        self._clock = clock
        self._most = most
        self._cut_every = cut_every
        self._kept = 0

    async def keep(self, tenant: UUID, name: str, sealed: bytes) -> None:
        """Keep one; now and then, what is too old or too much gives way."""
        await _asked(_keep, tenant, name, sealed, self._now())
        self._kept += 1
        if self._kept % self._cut_every == 0:
            await _asked(_cut, tenant, self._most, self._oldest())

    async def find(self, tenant: UUID, name: str) -> bytes | None:
        """One that is not too old."""
        return await _asked(_find, tenant, name, self._oldest())

    async def forget(self, tenant: UUID, name: str) -> bool:
        """Keep one no longer."""
        return await _asked(_forget, tenant, name)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def _oldest(self) -> datetime:
        return self._now() - timedelta(seconds=KEPT_SECONDS)


async def _asked(question: Callable[_Given, _Found], *given: _Given.args, **named: _Given.kwargs) -> _Found:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            answer: _Found = await database_sync_to_async(question)(*given, **named)
    except (Error, TimeoutError) as error:
        raise ConversationsAway from error
    return answer


def _keep(tenant: UUID, name: str, sealed: bytes, now: datetime) -> None:
    row = KeptResponse(tenant_id=tenant, name=name, kept_at=now, sealed=sealed)
    KeptResponse.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=("tenant_id", "name"), update_fields=("kept_at", "sealed")
    )


def _find(tenant: UUID, name: str, oldest: datetime) -> bytes | None:
    found = KeptResponse.objects.filter(tenant_id=tenant, name=name, kept_at__gt=oldest)
    sealed = found.values_list("sealed", flat=True).first()
    return None if sealed is None else bytes(sealed)


def _forget(tenant: UUID, name: str) -> bool:
    return bool(KeptResponse.objects.filter(tenant_id=tenant, name=name).delete()[0])


def _cut(tenant: UUID, most: int, oldest: datetime) -> None:
    old = KeptResponse.objects.filter(kept_at__lte=oldest).order_by("kept_at").values("pk")
    KeptResponse.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_OLD_AT_ONCE])).delete()
    theirs = KeptResponse.objects.filter(tenant_id=tenant)
    last = theirs.order_by("-id").values_list("pk", flat=True)[most : most + 1].first()
    if last is not None:
        theirs.filter(pk__lte=last).delete()
