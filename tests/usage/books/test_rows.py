"""What the embedded books write, Django reads."""

from pathlib import Path

import pytest
from django.db import connection

from gateway.accounts import Settlement
from tests.support.clock import FakeClock
from tests.support.engine import TENANT, make_hold
from tests.support.ledger_rows import assert_row_tells, full_entry
from usage.books.sqlite import SqliteBooks
from usage.models import LedgerEntry


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="DATABASE_URL names a PostgreSQL server")
async def test_django_reads_every_field_of_an_entry(clock: FakeClock) -> None:
    books = SqliteBooks(Path(connection.settings_dict["NAME"]), clock=clock)
    await books.open()
    hold = make_hold(nano=7)
    entry = full_entry(hold.id)
    await books.post([hold])
    await books.post([Settlement(hold=hold, entry=entry, tokens=7)])
    await books.close()
    assert_row_tells(await LedgerEntry.objects.aget(pk=hold.id), entry)
    assert await LedgerEntry.objects.filter(tenant_id=TENANT, tags__feature="suche ✓").acount() == 1
