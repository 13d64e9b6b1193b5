"""The watch over the configuration goes on whatever the database does, and says when it is away."""

import asyncio
from collections.abc import AsyncIterator
from threading import Event

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError

from tenants import watch as watch_module
from tenants.watch import POLL_SECONDS, RevisionWatch
from tests.support.clock import RestingClock

LONGEST_LOOK = 0.2

pytestmark = pytest.mark.django_db  # it runs where Django keeps connections, and looks after those


class Database:
    """What the revision is asked of."""

    def __init__(self) -> None:
        self.number = 1
        self.error: Exception | None = None
        self.talks = Event()
        self.talks.set()

    def answer(self) -> int:
        self.talks.wait()
        if self.error is not None:
            raise self.error
        return self.number


class Watching:
    """A watch that runs, and is turned look by look."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = RestingClock()
        self.refreshed: list[int] = []
        self.watch = RevisionWatch(clock=self.clock, refresh=self._refresh, answers_within=LONGEST_LOOK)

    async def _refresh(self) -> None:
        self.refreshed.append(self.database.number)

    async def looks(self) -> None:
        """Let it look once more, to the end of the look."""
        self.clock.rests.clear()
        self.clock.advance(POLL_SECONDS)
        await asyncio.wait_for(self.clock.rests.wait(), 5)


@pytest.fixture
async def watching(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watching]:
    database = Database()
    monkeypatch.setattr(watch_module, "current_revision", database.answer)
    watching = Watching(database)
    running = asyncio.create_task(watching.watch.run())
    await watching.clock.rests.wait()
    yield watching
    database.talks.set()
    running.cancel()


async def test_a_new_number_is_taken_up_once(watching: Watching) -> None:
    for number in (1, 1, 2, 2):
        watching.database.number = number
        await watching.looks()
        assert watching.watch.number == number
    assert watching.refreshed == [1, 2]


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
async def test_a_database_that_is_gone_is_away_until_it_is_back(
    watching: Watching, error: type[Exception]
) -> None:
    await watching.looks()
    watching.database.error = error("gone")
    await watching.looks()
    assert (watching.watch.failing, watching.watch.away, watching.watch.number) == (True, True, 1)
    watching.database.error, watching.database.number = None, 2
    await watching.looks()
    assert (watching.watch.failing, watching.watch.away, watching.watch.number) == (False, False, 2)


async def test_a_database_that_says_nothing_is_away_and_does_not_hold_the_watch(watching: Watching) -> None:
    await watching.looks()
    watching.database.talks.clear()
    for _ in range(2):
        await watching.looks()
        assert (watching.watch.failing, watching.watch.away, watching.watch.number) == (True, True, 1)
    watching.database.talks.set()
    await watching.looks()
    assert (watching.watch.failing, watching.watch.away) == (False, False)


async def test_a_database_that_answers_with_an_error_is_not_away(watching: Watching) -> None:
    watching.database.error = ProgrammingError("no such table")
    await watching.looks()
    assert (watching.watch.failing, watching.watch.away) == (True, False)
