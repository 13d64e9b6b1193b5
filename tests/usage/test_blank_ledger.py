"""Whether anything was ever booked."""

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from gateway.errors import BooksAway
from tests.factories import make_entry, make_tenant
from usage.ledger import ledger_is_blank
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_ledger_is_blank_until_its_first_entry() -> None:
    assert await ledger_is_blank()
    await sync_to_async(lambda: make_entry(make_tenant()))()
    assert not await ledger_is_blank()


async def test_one_that_is_away_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bool:
        raise OperationalError

    monkeypatch.setattr(LedgerEntry.objects, "exists", broken)
    with pytest.raises(BooksAway):
        await ledger_is_blank()
