"""The ledger's months on PostgreSQL."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from gateway.ids import first_id, uuid7
from tests import factories
from usage.models import LedgerEntry
from usage.partitions import partitions_ensure

JUNE = datetime(2031, 6, 15, tzinfo=UTC)
NAMES = [f"usage_ledgerentry_2031_{month:02}" for month in (6, 7, 8, 9)]


def _id_at(moment: datetime) -> UUID:
    return uuid7(int(moment.timestamp() * 1000))


def _place(entry: LedgerEntry) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM usage_ledgerentry WHERE id = %s", [entry.pk])
        place: str = cursor.fetchone()[0]
    return place


@pytest.mark.django_db
def test_sqlite_has_none() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("DATABASE_URL names a PostgreSQL server")
    assert partitions_ensure() == []


@pytest.mark.usefixtures("postgresql")
def test_the_migration_makes_this_month_and_the_next() -> None:
    assert partitions_ensure() == []
    entry = factories.make_entry(factories.make_tenant())
    assert _place(entry) == f"usage_ledgerentry_{datetime.now(UTC):%Y_%m}"


@pytest.mark.usefixtures("postgresql")
def test_months_are_made_once_and_bound_by_ids() -> None:
    assert partitions_ensure(now=JUNE) == NAMES
    assert partitions_ensure(now=JUNE) == []
    assert partitions_ensure(now=datetime(2031, 12, 31, tzinfo=UTC), months_ahead=1) == [
        "usage_ledgerentry_2031_12",
        "usage_ledgerentry_2032_01",
    ]
    tenant = factories.make_tenant()
    july = first_id(int(datetime(2031, 7, 1, tzinfo=UTC).timestamp() * 1000))
    last_of_june = factories.make_entry(tenant, id=UUID(int=july.int - 1))
    first_of_july = factories.make_entry(tenant, id=july)
    assert (_place(last_of_june), _place(first_of_july)) == (NAMES[0], NAMES[1])


@pytest.mark.usefixtures("postgresql")
def test_entries_that_came_before_their_month_move_into_it() -> None:
    tenant = factories.make_tenant()
    early = factories.make_entry(tenant, id=_id_at(JUNE))
    elsewhere = factories.make_entry(tenant, id=_id_at(datetime(2040, 1, 1, tzinfo=UTC)))
    assert _place(early) == "usage_ledgerentry_default"
    partitions_ensure(now=JUNE)
    assert (_place(early), _place(elsewhere)) == (NAMES[0], "usage_ledgerentry_default")
    with pytest.raises(IntegrityError), transaction.atomic():
        elsewhere.delete()


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("table", ["usage_ledgerentry", NAMES[0], "usage_ledgerentry_default"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET cost_nano = 0", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_partition_is_a_way_around_the_guards(table: str, verb: str) -> None:
    partitions_ensure(now=JUNE)
    tenant = factories.make_tenant()
    for moment in (JUNE, datetime(2040, 1, 1, tzinfo=UTC)):
        factories.make_entry(tenant, id=_id_at(moment))
    with pytest.raises(IntegrityError, match="stay"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb.format(table))


@pytest.mark.usefixtures("postgresql")
def test_a_range_of_ids_reads_its_months_only() -> None:
    partitions_ensure(now=JUNE)
    bounds = [first_id(int(datetime(2031, month, 1, tzinfo=UTC).timestamp() * 1000)) for month in (6, 7)]
    plan = LedgerEntry.objects.filter(id__gte=bounds[0], id__lt=bounds[1]).order_by().explain()
    assert NAMES[0] in plan
    assert NAMES[1] not in plan


@pytest.mark.usefixtures("postgresql")
def test_time_has_a_small_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'usage_entry_at'")
        assert "USING brin" in cursor.fetchone()[0]
