"""Answers that wait for the ledger: no longer than they may, whatever hangs or fails."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest
from django.db import Error, InterfaceError, OperationalError
from redis.asyncio import Redis

from gateway.errors import BooksAway
from gateway.ids import uuid7
from tests.support.engine import make_entry
from usage.commits import Commits
from usage.ledger import entries_known


async def test_a_ledger_that_hangs_takes_no_more_than_the_time_that_there_is(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def hang(_: Sequence[UUID]) -> set[UUID]:
        asked.set()
        await asyncio.Event().wait()
        return set()

    monkeypatch.setattr("usage.commits.entries_known", hang)
    async with Redis.from_url(redis_url) as redis, asyncio.timeout(4):
        with pytest.raises(BooksAway):
            await Commits(redis).commit(make_entry(tenant_id=uuid7()), within=0.1)
    assert asked.is_set()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
async def test_a_connection_that_broke_is_a_ledger_that_is_away(
    failure: type[Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way the driver tells it."""

    def broken(_: Sequence[UUID]) -> set[UUID]:
        raise failure

    monkeypatch.setattr("usage.ledger._known", broken)
    with pytest.raises(BooksAway):
        await entries_known([uuid7()])
