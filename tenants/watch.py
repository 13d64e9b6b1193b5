"""Watching the configuration's revision, so that a change anywhere is in force here within a second."""

import logging
from collections.abc import Awaitable, Callable

from channels.db import database_sync_to_async

from gateway.ports import Clock
from tenants.revision import current_revision

POLL_SECONDS = 0.25

logger = logging.getLogger(__name__)


class RevisionWatch:
    """Knows the revision that this process works by."""

    def __init__(self, *, clock: Clock, refresh: Callable[[], Awaitable[None]]) -> None:
        self.number = -1
        self.failing = False
        """The database did not answer lately: what is known stays in force."""
        self._clock = clock
        self._refresh = refresh

    async def look(self) -> None:
        """Take up a new revision, if there is one: first what depends on it, then its number."""
        number = await database_sync_to_async(current_revision)()
        if number != self.number:
            await self._refresh()
            self.number = number

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever the database does, the next look comes
                if not self.failing:
                    logger.warning("the configuration cannot be read: %s", type(error).__name__)
                self.failing = True
            else:
                self.failing = False
