"""Questions to the ledger."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error

from gateway.errors import BooksAway
from usage.models import LedgerEntry

ANSWERS_WITHIN = 5.0
"""Seconds that the database has: leases are not to wait for it."""


async def entries_known(identifiers: Sequence[UUID]) -> set[UUID]:
    """Which of these entries are in the ledger; `BooksAway` while it cannot be asked."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            known: set[UUID] = await database_sync_to_async(_known)(identifiers)
    except (Error, TimeoutError) as error:
        raise BooksAway from error
    return known


async def ledger_is_blank() -> bool:
    """Whether nothing was ever booked; `BooksAway` while the database cannot be asked."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            has_any: bool = await database_sync_to_async(LedgerEntry.objects.exists)()
    except (Error, TimeoutError) as error:
        raise BooksAway from error
    return not has_any


def _known(identifiers: Sequence[UUID]) -> set[UUID]:
    return set(LedgerEntry.objects.filter(pk__in=identifiers).values_list("pk", flat=True))
