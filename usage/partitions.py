"""The ledger's months on PostgreSQL: range partitions on the id, which sorts by time.

Partitioning on the id keeps the primary key one column, as Django's admin needs, and still prunes months.
"""

from datetime import UTC, datetime
from itertools import pairwise

from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations import CreateModel
from django.db.migrations.state import ProjectState

from gateway.ids import first_id
from tenants.triggers import truncate_refused

TABLE = "usage_ledgerentry"
_STRAYS_FOUND = "SELECT EXISTS (SELECT FROM usage_ledgerentry_default WHERE id >= %s AND id < %s)"
_STRAYS_COPIED = (
    "INSERT INTO usage_ledgerentry SELECT * FROM usage_ledgerentry_default WHERE id >= %s AND id < %s"
)
_STRAYS_REMOVED = "DELETE FROM usage_ledgerentry_default WHERE id >= %s AND id < %s"


class CreatePartitionedModel(CreateModel):
    """Creates the model's table partitioned by ranges of its id on PostgreSQL, and plainly elsewhere."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Lend the schema editor a CREATE TABLE that ends in the partitioning, for this one table."""
        plain = schema_editor.sql_create_table
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE (id)"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain


def partitions_make_first(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the default partition, the index on time and the first months, as a migration's step."""
    if editor.connection.vendor != "postgresql":
        return
    editor.execute(f"CREATE INDEX usage_entry_at ON {TABLE} USING brin (at)", None)
    editor.execute(f"CREATE TABLE {TABLE}_default PARTITION OF {TABLE} DEFAULT", None)
    for table in (TABLE, f"{TABLE}_default"):
        for statement in truncate_refused(table).made_by:
            editor.execute(statement, None)
    partitions_ensure(using=editor.connection.alias)


def partitions_ensure(
    *, months_ahead: int = 3, now: datetime | None = None, using: str = DEFAULT_DB_ALIAS
) -> list[str]:
    """Make the partitions of this month and the next ones; answer with those that were missing."""
    if connections[using].vendor != "postgresql":
        return []
    today = now or datetime.now(UTC)
    months = [_month_start(today, ahead) for ahead in range(months_ahead + 2)]
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [TABLE])
        return [name for start, end in pairwise(months) if (name := _partition_ensure(cursor, start, end))]


def _partition_ensure(cursor: CursorWrapper, start: datetime, end: datetime) -> str:
    name = f"{TABLE}_{start:%Y_%m}"
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
    if cursor.fetchone()[0]:
        return ""
    bounds = [str(first_id(int(moment.timestamp()) * 1000)) for moment in (start, end)]
    cursor.execute(_STRAYS_FOUND, bounds)
    strays = cursor.fetchone()[0]
    if strays:
        # Detached, the default partition loses the row triggers that would keep its rows from moving on.
        cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {TABLE}_default")
    cursor.execute(f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM (%s) TO (%s)", bounds)
    for statement in truncate_refused(name).made_by:
        cursor.execute(statement)
    if strays:
        cursor.execute(_STRAYS_COPIED, bounds)
        cursor.execute(_STRAYS_REMOVED, bounds)
        cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {TABLE}_default DEFAULT")
    return name


def _month_start(moment: datetime, ahead: int) -> datetime:
    month = moment.year * 12 + moment.month - 1 + ahead
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
