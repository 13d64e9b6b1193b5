"""Database triggers as values, for SQLite and PostgreSQL, put in place by migrations.

A promise that a trigger keeps holds for bulk updates, raw SQL and people at a database prompt alike. SQLite
rebuilds a table to alter it and loses its triggers: a migration that alters a guarded table repeats them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython

CHANNEL = "gateway_revision"
_MOVE = """
INSERT INTO tenants_revision (id, number) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET number = tenants_revision.number + 1"""
MOVE_FUNCTION = f"""
CREATE OR REPLACE FUNCTION tenants_revision_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_MOVE}; PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$
"""
"""Whoever listens on the channel need not wait for the next look at the number."""
_REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION tenants_rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % stay', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger on one table of one kind of database; `needs` runs before it is made."""

    vendor: str
    table: str
    name: str
    sql: str
    needs: str = ""

    @property
    def made_by(self) -> tuple[str, ...]:
        """Statements that put it in place, however often they run."""
        return tuple(filter(None, (self.needs, self.dropped_by, self.sql)))

    @property
    def dropped_by(self) -> str:
        """The statement that takes it away."""
        place = f" ON {self.table}" if self.vendor == "postgresql" else ""
        return f"DROP TRIGGER IF EXISTS {self.name}{place}"


def sqlite_trigger(table: str, event: str, suffix: str, body: str, when: str = "") -> Trigger:
    """A trigger that runs for each row on SQLite; the event is such as BEFORE DELETE."""
    name = f"{table}_{suffix}"
    condition = f" WHEN {when}" if when else ""
    place = f"{event} ON {table} FOR EACH ROW{condition}"
    return Trigger("sqlite", table, name, f"CREATE TRIGGER {name} {place} BEGIN {body}; END")


def postgresql_trigger(table: str, event: str, suffix: str, function: str, needs: str) -> Trigger:
    """A trigger on PostgreSQL; the function is such as `ROW EXECUTE FUNCTION name()`."""
    name = f"{table}_{suffix}"
    return Trigger(
        "postgresql", table, name, f"CREATE TRIGGER {name} {event} ON {table} FOR EACH {function}", needs
    )


def revision_moves(table: str, *, columns: Iterable[str] = (), additions: bool = True) -> tuple[Trigger, ...]:
    """Every write to the table raises the configuration's revision.

    An update that touches none of the columns, where they are named, does not; nor do additions
    where a new row decides nothing yet.
    """
    listed = ", ".join(f'"{column}"' for column in columns)
    update = f"UPDATE OF {listed}" if listed else "UPDATE"
    events = (*(("INSERT",) if additions else ()), update, "DELETE")
    return (
        *(
            sqlite_trigger(table, f"AFTER {event}", f"revision_{event.split()[0].lower()}", _MOVE)
            for event in events
        ),
        postgresql_trigger(
            table,
            f"AFTER {' OR '.join((*events, 'TRUNCATE'))}",
            "revision",
            "STATEMENT EXECUTE FUNCTION tenants_revision_move()",
            MOVE_FUNCTION,
        ),
    )


def truncate_refused(table: str) -> Trigger:
    """PostgreSQL's TRUNCATE fires no row triggers, and partitions do not inherit this one."""
    return postgresql_trigger(
        table,
        "BEFORE TRUNCATE",
        "no_truncate",
        "STATEMENT EXECUTE FUNCTION tenants_rows_stay()",
        _REFUSE_FUNCTION,
    )


def delete_refused(table: str) -> tuple[Trigger, ...]:
    """No row leaves the table."""
    return (
        sqlite_trigger(table, "BEFORE DELETE", "no_delete", f"SELECT RAISE(ABORT, 'rows of {table} stay')"),
        postgresql_trigger(
            table, "BEFORE DELETE", "no_delete", "ROW EXECUTE FUNCTION tenants_rows_stay()", _REFUSE_FUNCTION
        ),
        truncate_refused(table),
    )


def additions_only(table: str) -> tuple[Trigger, ...]:
    """Rows are added and neither changed nor removed."""
    return (
        sqlite_trigger(table, "BEFORE UPDATE", "no_update", f"SELECT RAISE(ABORT, 'rows of {table} stay')"),
        postgresql_trigger(
            table, "BEFORE UPDATE", "no_update", "ROW EXECUTE FUNCTION tenants_rows_stay()", _REFUSE_FUNCTION
        ),
        *delete_refused(table),
    )


def additions_filled_once(table: str, column: str, *, fixed: Iterable[str]) -> tuple[Trigger, ...]:
    """Rows are added and stay as they are, but for one column: empty at first, it is filled once."""

    def is_other_change(null_safe: str) -> str:
        same = [f"OLD.{name} {null_safe} NEW.{name}" for name in fixed]
        return f"NOT ({' AND '.join((f'OLD.{column} IS NULL', f'NEW.{column} IS NOT NULL', *same))})"

    refused = f"ROW WHEN ({is_other_change('IS NOT DISTINCT FROM')}) EXECUTE FUNCTION tenants_rows_stay()"
    return (
        sqlite_trigger(
            table,
            "BEFORE UPDATE",
            "no_update",
            f"SELECT RAISE(ABORT, 'rows of {table} stay')",
            when=is_other_change("IS"),
        ),
        postgresql_trigger(table, "BEFORE UPDATE", "no_update", refused, _REFUSE_FUNCTION),
        *delete_refused(table),
    )


def triggers_operation(*groups: Iterable[Trigger]) -> RunPython:
    """The migration operation that puts the triggers in place, and takes them away again when reversed."""
    triggers = [trigger for group in groups for trigger in group]

    def make(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        for trigger in _of(triggers, editor):
            for statement in trigger.made_by:
                editor.execute(statement, None)

    def drop(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        for trigger in _of(triggers, editor):
            editor.execute(trigger.dropped_by, None)

    return RunPython(make, drop)


def _of(triggers: Iterable[Trigger], editor: BaseDatabaseSchemaEditor) -> list[Trigger]:
    return [trigger for trigger in triggers if trigger.vendor == editor.connection.vendor]
