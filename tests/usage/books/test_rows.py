"""What the embedded books write, Django reads."""

from pathlib import Path

import pytest
from django.db import connection
from msgspec.structs import replace

from gateway.accounts import Settlement
from gateway.call import Attempt, Usage
from gateway.entry import Line
from gateway.ids import uuid7
from tests.support.clock import BEGIN, FakeClock
from tests.support.engine import TENANT, make_entry, make_hold
from usage.books.sqlite import SqliteBooks
from usage.models import LedgerEntry


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="DATABASE_URL names a PostgreSQL server")
async def test_django_reads_every_field_of_an_entry(clock: FakeClock) -> None:
    books = SqliteBooks(Path(connection.settings_dict["NAME"]), clock=clock)
    await books.open()
    hold = make_hold(nano=7)
    entry = replace(
        make_entry(7, hold.id, **{name: uuid7() for name in ("project_id", "key_id", "end_user_id")}),
        provider_id=uuid7(),
        deployment_id=uuid7(),
        project="search",
        cost_centre="CC-42",
        key="app",
        model_asked="small",
        model="gpt-4o-mini",
        provider="openai",
        deployment="openai/gpt-4o-mini",
        meters=Usage(input=3, output=4),
        lines=(Line(meter="input", units=3, pico=5, cost_nano=7, charge_nano=7, price=9),),
        price_version="v1",
        estimated=True,
        attempts=(Attempt(deployment="openai/gpt-4o-mini", outcome="ok", milliseconds=8, status=200),),
        latency_ms=12,
        ttft_ms=6,
        overhead_us=345,
        tags={"feature": "suche ✓"},
    )
    await books.post([hold])
    await books.post([Settlement(hold=hold, entry=entry, tokens=7)])
    await books.close()
    row = await LedgerEntry.objects.aget(pk=hold.id)
    same = {
        name: getattr(entry, name)
        for name in entry.__struct_fields__
        if name not in ("at_ms", "meters", "lines", "attempts")
    }
    assert {name: getattr(row, name) for name in same} == same
    assert (row.tenant_id, row.at.timestamp()) == (TENANT, BEGIN)
    assert row.meters == {"input": 3, "output": 4}
    assert row.lines[0]["pico"] == 5
    assert row.attempts[0]["status"] == 200
    assert await LedgerEntry.objects.filter(tenant_id=TENANT, tags__feature="suche ✓").acount() == 1
