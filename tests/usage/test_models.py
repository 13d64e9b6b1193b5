"""The ledger grows and never changes."""

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from gateway.ids import uuid7
from tests import factories
from usage.models import Correction, Counter, Feedback, LedgerEntry, Rollup, Statement, TagRollup

pytestmark = pytest.mark.usefixtures("each_database")

HOUR = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_an_entry_is_kept_as_it_was_written() -> None:
    tenant = factories.make_tenant()
    written = factories.make_entry(
        tenant, meters={"input": 7}, lines=[{"meter": "input", "units": 7}], tags={"team": "search"}
    )
    read = LedgerEntry.objects.get(pk=written.pk)
    assert (read.meters, read.tags, read.lines) == (written.meters, written.tags, written.lines)
    assert (read.cost_nano, read.charge_nano) == (1_000, 1_100)


def test_an_entry_is_neither_changed_nor_removed() -> None:
    entry = factories.make_entry(factories.make_tenant())
    for statement in ("UPDATE usage_ledgerentry SET cost_nano = 0", "DELETE FROM usage_ledgerentry"):
        with pytest.raises(IntegrityError, match="stay"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.update(charge_nano=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        entry.delete()
    assert LedgerEntry.objects.get().cost_nano == 1_000


def test_an_entry_is_not_replaced(each_database: str) -> None:
    if each_database != "sqlite":
        pytest.skip("only SQLite knows INSERT OR REPLACE")
    factories.make_entry(factories.make_tenant())
    with pytest.raises(IntegrityError, match="stay"), connection.cursor() as cursor:
        cursor.execute("INSERT OR REPLACE INTO usage_ledgerentry SELECT * FROM usage_ledgerentry")


def test_an_entry_outlives_what_it_names() -> None:
    tenant = factories.make_tenant()
    factories.make_entry(tenant)
    tenant.delete()
    assert LedgerEntry.objects.get().tenant == "acme"


def test_an_id_is_entered_once() -> None:
    tenant = factories.make_tenant()
    entry = factories.make_entry(tenant)
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_entry(tenant, id=entry.pk)
    LedgerEntry.objects.bulk_create([LedgerEntry(**_columns(entry, cost_nano=5))], ignore_conflicts=True)
    assert LedgerEntry.objects.get().cost_nano == 1_000


def _columns(entry: LedgerEntry, **changes: object) -> dict[str, object]:
    return {field.attname: getattr(entry, field.attname) for field in entry._meta.concrete_fields} | changes


def test_a_correction_stands_and_mends_with_an_entry_of_its_own() -> None:
    entry = factories.make_entry(factories.make_tenant())
    correction = factories.make_correction(entry, created_by=factories.make_user())
    with pytest.raises(IntegrityError), transaction.atomic():
        Correction.objects.update(reason="another")
    with pytest.raises(IntegrityError), transaction.atomic():
        correction.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_correction(entry, correcting_id=correction.correcting_id)


@pytest.mark.parametrize("rollup", [Rollup, TagRollup])
def test_sums_are_unique_even_where_nobody_is_named(rollup: type[Rollup] | type[TagRollup]) -> None:
    fields = {"granularity": "hour", "starts_at": HOUR, "tenant_id": uuid7()}
    rollup.objects.create(**fields)
    rollup.objects.create(**fields, meter="input")
    with pytest.raises(IntegrityError), transaction.atomic():
        rollup.objects.create(**fields)


def test_a_month_has_one_statement_which_closes_at_a_moment() -> None:
    fields = {"tenant_id": uuid7(), "tenant": "acme", "month": date(2026, 1, 1)}
    Statement.objects.create(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Statement.objects.create(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Statement.objects.update(status="closed")
    Statement.objects.update(status="closed", closed_at=HOUR)


@pytest.mark.parametrize("score", [-101, 101])
def test_a_score_is_a_percentage(score: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Feedback.objects.create(request_id="req-1", tenant_id=uuid7(), score=score)


def test_an_account_has_one_counter_a_window() -> None:
    Counter.objects.create(account="tenant:acme", window_start=0, ends=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Counter.objects.create(account="tenant:acme", window_start=0, ends=2)
