"""Watching the configuration's revision, so that a change anywhere is in force here within a second."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from gateway.ports import Clock
from tenants.revision import current_revision

POLL_SECONDS = 0.25
ANSWERS_WITHIN = 6.0
"""Seconds that the database has for a question; a file may be busy with the admin for five of them."""
REFRESHED_WITHIN = 30.0

logger = logging.getLogger(__name__)


class RevisionWatch:
    """Knows the revision that this process works by."""

    def __init__(
        self,
        *,
        clock: Clock,
        refresh: Callable[[], Awaitable[None]],
        answers_within: float = ANSWERS_WITHIN,
    ) -> None:
        self.number = -1
        self.failing = False
        """The configuration could not be read lately: what is known stays in force."""
        self.away = False
        """The reason is that the database does not answer."""
        self._clock = clock
        self._refresh = refresh
        self._answers_within = answers_within
        self._turn = asyncio.Lock()

    async def look(self) -> None:
        """Take up a new revision, if there is one: first what depends on it, then its number."""
        async with self._turn:
            async with asyncio.timeout(self._answers_within):
                number = await database_sync_to_async(current_revision)()
            if number != self.number:
                async with asyncio.timeout(REFRESHED_WITHIN):
                    await self._refresh()
                self.number = number

    async def reach(self, revision: int) -> None:
        """Work by this revision, or a later one, if the database can be asked."""
        if self.number < revision and not self.away:
            await self.look()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            await self.look_again()

    async def look_again(self) -> None:
        """Look, and note it if that fails: the next look comes."""
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001 - whatever the database does
            if not self.failing:
                logger.warning("the configuration cannot be read: %s", type(error).__name__)
            self.failing = True
            self.away = isinstance(error, OperationalError | InterfaceError | TimeoutError)
        else:
            self.failing = self.away = False
