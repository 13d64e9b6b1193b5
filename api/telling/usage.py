"""What a tenant has used, from the ledger."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from api.telling.database import ask_database
from api.telling.desk import Desk, Question
from gateway.errors import FailedValidation
from usage.reports import WINDOWS, usage_recent, usage_stats

MOST_ENTRIES = 100


async def tell_usage(desk: Desk, question: Question) -> Mapping[str, Any]:
    """The newest calls of a window, page by page."""
    return await ask_database(
        usage_recent,
        tenant_id=question.principal.tenant_id,
        window=_window(question),
        now_ms=desk.now_ms,
        limit=_limit(question),
        before=_before(question),
    )


async def tell_usage_stats(desk: Desk, question: Question) -> Mapping[str, Any]:
    """The sums of a window."""
    return await ask_database(
        usage_stats,
        tenant_id=question.principal.tenant_id,
        window=_window(question),
        now_ms=desk.now_ms,
    )


def _window(question: Question) -> str:
    window = question.wishes.get("window", next(iter(WINDOWS)))
    if window not in WINDOWS:
        raise FailedValidation(f"The window is one of {', '.join(WINDOWS)}.", param="window")
    return window


def _limit(question: Question) -> int:
    text = question.wishes.get("limit", str(MOST_ENTRIES))
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= MOST_ENTRIES:
        raise FailedValidation(f"The limit is a number up to {MOST_ENTRIES}.", param="limit")
    return int(text)


def _before(question: Question) -> UUID | None:
    text = question.wishes.get("before")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise FailedValidation("`before` is the id of an entry.", param="before") from error
