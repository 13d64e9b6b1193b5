"""Whether this process may take calls: a half-migrated or half-open gateway says no."""

from collections.abc import Mapping

from channels.db import database_sync_to_async
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from tenants.watch import RevisionWatch
from usage.books.sqlite import SqliteBooks


class Readiness:
    """Looks at the database, the migrations, the configuration and the books."""

    def __init__(self, *, books: SqliteBooks, watch: RevisionWatch) -> None:
        self._books = books
        self._watch = watch
        self.migrated = False

    async def look(self) -> None:
        """See whether the tables are as this version needs them."""
        self.migrated = await database_sync_to_async(_migrated)()

    async def wrong(self) -> Mapping[str, str]:
        """What is not right, by name."""
        wrong = {}
        try:
            await database_sync_to_async(connection.ensure_connection)()
        except DatabaseError:
            wrong["database"] = "cannot be reached"
        if not self.migrated:
            wrong["migrations"] = "are not applied: run `manage.py migrate`, then start again"
        elif not self._books.is_open:
            wrong["books"] = "are not open"
        elif self._watch.number < 0 or self._watch.failing:
            wrong["configuration"] = "cannot be read"
        return wrong


def _migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
