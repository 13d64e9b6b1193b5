"""What tenants are told of their usage: however large the ledger is, so many entries are read at most."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.db.models import BigIntegerField, BooleanField, Count, ExpressionWrapper, Min, Q, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from msgspec import Struct, convert

from gateway.call import METERS, Usage
from gateway.ids import first_id
from usage.models import LedgerEntry

WINDOWS: Mapping[str, timedelta | None] = {
    "24h": timedelta(hours=24),
    "1h": timedelta(hours=1),
    "7d": timedelta(days=7),
    "month": None,
}
"""How far back a report reaches; the first is the default, and a month is the calendar's, in UTC."""

READ_AT_MOST = 20_000
"""Of one tenant, newest first: what a database adds up in a fraction of a second."""
_NANO = 1_000_000_000
_MINUTE_MS = 60_000


class Activity(Struct, frozen=True, kw_only=True):
    """The last minute of a tenant."""

    calls: int
    users: int


def usage_recent(
    *, tenant_id: UUID, window: str, now_ms: int, limit: int, before: UUID | None
) -> Mapping[str, Any]:
    """The newest entries of a window; `next` is where the following page begins."""
    since_ms = _since_ms(window, now_ms)
    rows = _entries(tenant_id, since_ms)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows[: limit + 1])
    shown = found[:limit]
    return {
        "window": window,
        "since": since_ms / 1000,
        "until": now_ms / 1000,
        "entries": [_entry(row) for row in shown],
        "next": str(shown[-1].id) if len(found) > limit else None,
    }


def usage_stats(*, tenant_id: UUID, window: str, now_ms: int) -> Mapping[str, Any]:
    """The sums of a window, in all and by model; `complete` says whether its every entry was read."""
    since_ms = _since_ms(window, now_ms)
    groups = _groups(tenant_id, since_ms)
    total = _Sums()
    models: dict[str, _Sums] = {}
    for group in groups:
        total.add(group)
        models.setdefault(group["model"], _Sums()).add(group)
    is_complete = sum(group["rows"] for group in groups) < READ_AT_MOST
    since = since_ms / 1000 if is_complete else min(group["oldest"] for group in groups).timestamp()
    return {
        "window": window,
        "since": since,
        "until": now_ms / 1000,
        "complete": is_complete,
        **total.told(),
        "models": {name: sums.told() for name, sums in sorted(models.items())},
    }


def activity_count(*, tenant_id: UUID, now_ms: int) -> Activity:
    """How many calls and users the last minute saw, as far as they are in the ledger."""
    newest = _entries(tenant_id, now_ms - _MINUTE_MS)[:READ_AT_MOST].values("pk")
    rows = LedgerEntry.objects.filter(pk__in=newest, corrects=None).order_by()
    found = rows.aggregate(calls=Count("pk"), users=Count("end_user_id", distinct=True))
    return Activity(calls=found["calls"], users=found["users"])


class _Sums:
    """What entries come to; one that mends another is no further request."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.usage: dict[str, int] = {}
        self.charge_nano = self.latency_ms = 0

    def add(self, group: Mapping[str, Any]) -> None:
        """Take up entries that ended alike."""
        for meter in METERS:
            self.usage[meter] = self.usage.get(meter, 0) + (group[f"sum_{meter}"] or 0)
        self.charge_nano += group["charge"]
        if not group["mends"]:
            self.calls[group["status"]] = self.calls.get(group["status"], 0) + group["rows"]
            self.latency_ms += group["latency"]

    def told(self) -> dict[str, Any]:
        """In words that clients know."""
        calls, usage = sum(self.calls.values()), convert(self.usage, Usage)
        return {
            "total_requests": calls,
            "failed_requests": self.calls.get("failed", 0),
            "cached_requests": self.calls.get("cached", 0),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.tokens - usage.prompt_tokens,
            "total_tokens": usage.tokens,
            "total_cost": self.charge_nano / _NANO,
            "average_latency_ms": round(self.latency_ms / calls, 1) if calls else None,
        }


def _groups(tenant_id: UUID, since_ms: int) -> list[dict[str, Any]]:
    """The newest entries, added up by model and end."""
    newest = _entries(tenant_id, since_ms)[:READ_AT_MOST].values("pk")
    meters = {
        f"sum_{meter}": Sum(Cast(KeyTextTransform(meter, "meters"), BigIntegerField())) for meter in METERS
    }
    mends = ExpressionWrapper(Q(corrects__isnull=False), output_field=BooleanField())
    rows = LedgerEntry.objects.filter(pk__in=newest).annotate(mends=mends).order_by()
    grouped = rows.values("model", "status", "mends").annotate(
        rows=Count("pk"), oldest=Min("at"), charge=Sum("charge_nano"), latency=Sum("latency_ms"), **meters
    )
    return cast(list[dict[str, Any]], list(grouped))


def _entries(tenant_id: UUID, since_ms: int) -> QuerySet[LedgerEntry]:
    """A tenant's, newest first: the index on tenant and id answers it, and months prune."""
    return LedgerEntry.objects.filter(tenant_id=tenant_id, id__gte=first_id(since_ms)).order_by("-id")


def _entry(row: LedgerEntry) -> dict[str, Any]:
    usage = convert(row.meters, Usage)
    return {
        "id": str(row.id),
        "request_id": row.request_id,
        "at": row.at.timestamp(),
        "project": row.project,
        "key": row.key,
        "kind": row.kind,
        "status": row.status,
        "model": row.model,
        "provider": row.provider,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.tokens - usage.prompt_tokens,
        "cost": row.charge_nano / _NANO,
        "estimated": row.estimated,
        "latency_ms": row.latency_ms,
        "corrects": str(row.corrects) if row.corrects else None,
    }


def _since_ms(window: str, now_ms: int) -> int:
    length = WINDOWS[window]
    if length is not None:
        return now_ms - round(length.total_seconds() * 1000)
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return round(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
