"""What reports add up, and how much of a ledger they read."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from gateway.ids import uuid7
from tests.support.engine import OTHER_TENANT, TENANT
from usage import reports
from usage.models import LedgerEntry
from usage.reports import activity_count, usage_recent, usage_stats

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_database")]

NOON_MS = 1_767_268_800_000
"""The first of January 2026, 12:00 in UTC."""
HOUR_MS = 3_600_000


def make_row(before_ms: int = 0, tenant: UUID = TENANT, **fields: Any) -> LedgerEntry:
    """An entry of so long before noon."""
    at_ms = NOON_MS - before_ms
    given: dict[str, Any] = {
        "id": uuid7(at_ms),
        "at": datetime.fromtimestamp(at_ms / 1000, UTC),
        "tenant_id": tenant,
        "status": "settled",
        "model": "m",
        "meters": {"input": 10, "cache_read": 5, "output": 7},
        "charge_nano": 1_000,
        "latency_ms": 20,
    }
    return LedgerEntry.objects.create(**given | fields)


def sums(window: str = "24h") -> dict[str, Any]:
    return dict(usage_stats(tenant_id=TENANT, window=window, now_ms=NOON_MS))


def test_meters_of_all_kinds_are_added_up() -> None:
    make_row(1, meters={"input": 10, "cache_read": 5, "output": 7, "reasoning": 3, "image": 2})
    make_row(2, meters={})
    told = sums()
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (15, 10, 25)
    assert (told["total_requests"], told["total_cost"]) == (2, 2_000 / 10**9)


def test_an_entry_that_mends_another_is_no_request_but_money() -> None:
    wrong = make_row(2, charge_nano=5_000)
    make_row(1, charge_nano=-4_000, meters={"output": -6}, corrects=wrong.id, latency_ms=900)
    told = sums()
    assert (told["total_requests"], told["average_latency_ms"]) == (1, 20)
    assert told["total_cost"] == pytest.approx(1_000 / 10**9)
    assert told["completion_tokens"] == 1


def test_windows_end_where_they_say() -> None:
    for hours in (0, 2, 23, 25, 24 * 6, 24 * 8):
        make_row(hours * HOUR_MS + 1)
    counts = {window: sums(window)["total_requests"] for window in reports.WINDOWS}
    assert counts == {"1h": 1, "24h": 3, "7d": 5, "month": 2}


def test_a_month_begins_on_its_first_day() -> None:
    assert sums("month")["since"] * 1000 == NOON_MS - 12 * HOUR_MS


def test_other_tenants_are_left_out() -> None:
    make_row(1, OTHER_TENANT)
    assert sums()["total_requests"] == 0
    assert (
        usage_recent(tenant_id=TENANT, window="24h", now_ms=NOON_MS, limit=10, before=None)["entries"] == []
    )
    assert activity_count(tenant_id=TENANT, now_ms=NOON_MS).calls == 0


def test_no_more_is_read_than_may_be_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "READ_AT_MOST", 3)
    for minutes in range(5):
        make_row(minutes * 60_000 + 1)
    told = sums()
    assert (told["complete"], told["total_requests"]) == (False, 3)
    assert told["since"] == pytest.approx((NOON_MS - 120_001) / 1000)


def test_the_last_minute_counts_calls_and_users() -> None:
    alice, bob = uuid7(), uuid7()
    for user in (alice, alice, bob, None):
        make_row(1, end_user_id=user)
    make_row(61_000, end_user_id=uuid7())
    activity = activity_count(tenant_id=TENANT, now_ms=NOON_MS)
    assert (activity.calls, activity.users) == (4, 2)


def test_the_index_on_tenant_and_id_finds_them() -> None:
    """Or a large ledger would be read whole."""
    newest = reports._entries(TENANT, NOON_MS - HOUR_MS)[:100].values("pk")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "usage_entry_tenant" in newest.explain() or "tenant_id_id_idx" in newest.explain()
