"""Whether this process may take calls: a half-migrated or half-open gateway says no."""

from typing import Any

from channels.db import database_sync_to_async
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from msgspec import Struct

from api.books import Bookkeeping
from tenants.watch import RevisionWatch


class Health(Struct, frozen=True, kw_only=True):
    """How a process is."""

    wrong: dict[str, str]
    """Why no calls should come here, by name."""
    degraded: dict[str, str]
    """What calls can do without for a while, by name."""
    facts: dict[str, Any]
    """Figures that say something also when all is well."""


class Readiness:
    """Looks at the database, the migrations, the configuration and the books."""

    def __init__(self, *, books: Bookkeeping, watch: RevisionWatch) -> None:
        self._books = books
        self._watch = watch
        self.migrated = False

    async def look(self) -> None:
        """See whether the tables are as this version needs them."""
        self.migrated = await database_sync_to_async(_migrated)()

    async def health(self) -> Health:
        """What is not right, and what there is to know; it asks nobody who may keep it waiting."""
        if not self.migrated:
            missing = {"migrations": "are not applied: run `manage.py migrate`, then start again"}
            return Health(wrong=missing, degraded={}, facts={})
        books = await self._books.state()
        wrong, degraded = dict(books.wrong), dict(books.degraded)
        known = self._watch.number >= 0 and not self._books.in_database
        if self._watch.away:
            (degraded if known else wrong)["database"] = "cannot be reached"
        elif self._watch.number < 0 or self._watch.failing:
            (degraded if known else wrong)["configuration"] = "cannot be read"
        return Health(wrong=wrong, degraded=degraded, facts=books.facts)


def _migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
