"""Breakers as rows that all processes share: written when one opens or closes, and read a few times a second.

All times are the database's, so that machines whose clocks differ agree.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

from gateway.signs import Key, Sign, Source
from providers.models import Deployment, Health
from tenants.triggers import CHANNEL

_LONGEST_DETAIL = 500
_LONGEST_SECONDS = 30 * 86_400
_NOW = Now()


def health_tell(sign: Sign) -> int:
    """Write that a breaker was opened or closed; the version of that, 0 where it has no place here.

    That is so when its deployment is gone, or when a star was filled with a name that is too long.
    """
    deployment_id, upstream = sign.key
    written: dict[str, Any] = {"status": Health.Status.CLOSED, "until": None}
    if sign.is_open:
        opened = datetime.fromtimestamp(sign.opened_at, timezone.get_current_timezone())
        written = {"status": Health.Status.OPEN, "until": _from_now(sign.rest), "opened_at": opened}
    seen = {"source": sign.by, "detail": sign.detail[:_LONGEST_DETAIL], "checked_at": _NOW}
    fields = {**written, **seen, "changed_at": _NOW, "claimed_until": None}
    try:
        with transaction.atomic():
            row = _row(deployment_id, upstream)
            row.update(**fields, version=F("version") + 1)
            version: int = row.values_list("version", flat=True).get()
            if connection.vendor == "postgresql":  # whoever listens need not wait for the next look
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    except (IntegrityError, DataError):
        return 0
    return version


def health_heard(within: float) -> Sequence[Sign]:
    """The rows that are open, and those that changed in so many seconds."""
    seconds = ceil(min(within, _LONGEST_SECONDS))
    if not _is_anything_told(seconds):
        return []
    rows = (
        Health.objects.filter(_told_within(seconds))
        .annotate(moment=ExpressionWrapper(_NOW, output_field=DateTimeField()))
        .order_by()
    )
    return [_sign(row) for row in rows]


def health_claim(key: Key, rest: float) -> bool:
    """Take the probe of an open row whose rest is over, if nobody has it; without a row nobody else knows."""
    rows = Health.objects.filter(deployment_id=key[0], upstream_model=key[1])
    free = Q(claimed_until=None) | Q(claimed_until__lte=_NOW)
    claimed = rows.filter(free, status=Health.Status.OPEN, until__lte=_NOW).update(
        claimed_until=_from_now(rest)
    )
    return bool(claimed) or not rows.exists()


def health_report(
    *, deployment: Deployment, upstream: str, ok: bool, latency_ms: int | None = None, detail: str = ""
) -> None:
    """What a probe saw: an ill deployment is no longer called for a while, and a good one is called again."""
    key = (deployment.pk, upstream)
    row = Health.objects.filter(deployment=deployment, upstream_model=upstream)
    is_open = row.filter(status=Health.Status.OPEN).exists()
    if not ok or is_open:
        rest = float(settings.CIRCUIT_BREAKER_TIMEOUT)
        sign = Sign(key=key, is_open=not ok, rest=rest, opened_at=time.time(), by="probe", detail=detail)
        health_tell(sign)
    else:
        _row(*key)
    row.update(latency_ms=latency_ms, checked_at=_NOW, detail=detail[:_LONGEST_DETAIL])


def health_close(*, deployment: Deployment, by: Source) -> None:
    """Close every breaker of a deployment that is open, for whichever model."""
    rows = Health.objects.filter(deployment=deployment, status=Health.Status.OPEN)
    for upstream in rows.values_list("upstream_model", flat=True):
        health_tell(Sign(key=(deployment.pk, upstream), is_open=False, by=by))


def _is_anything_told(seconds: int) -> bool:
    """Mostly nothing is: this is asked four times a second by every process, so the question is kept."""
    with connection.cursor() as cursor:
        cursor.execute(*_question(connection.vendor, seconds))
        return cursor.fetchone() is not None


@lru_cache(maxsize=100)
def _question(vendor: str, seconds: int) -> tuple[str, tuple[Any, ...]]:
    """SQL of a kind of database, and its parameters."""
    told = Health.objects.filter(_told_within(seconds)).order_by().values("pk")[:1]
    sql, parameters = told.query.sql_with_params()
    return sql, tuple(parameters)


def _told_within(seconds: int) -> Q:
    return Q(status=Health.Status.OPEN) | Q(changed_at__gte=_from_now(-seconds))


def _row(deployment_id: UUID, upstream: str) -> Any:
    """The row of a breaker, made if it is new."""
    now = timezone.now()
    new = Health(
        deployment_id=deployment_id,
        upstream_model=upstream,
        version=int(now.timestamp() * 1000),  # beyond that of a row that was here before
        changed_at=now,
        checked_at=now,
    )
    rows = Health.objects.filter(deployment_id=deployment_id, upstream_model=upstream)
    if not rows.exists():
        Health.objects.bulk_create([new], ignore_conflicts=True)
    return rows


def _from_now(seconds: float) -> "ExpressionWrapper[CombinedExpression]":
    return ExpressionWrapper(_NOW + Value(timedelta(seconds=seconds)), output_field=DateTimeField())


def _sign(row: Any) -> Sign:
    return Sign(
        key=(row.deployment_id, row.upstream_model),
        is_open=row.status == Health.Status.OPEN,
        rest=(row.until - row.moment).total_seconds() if row.until else 0.0,
        opened_at=row.opened_at.timestamp() if row.opened_at else 0.0,
        version=row.version,
        by=row.source,
        detail=row.detail,
    )
