"""The ledger in the admin: read, found, never counted, never written."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.accounts import Amounts
from gateway.entry import Entry
from gateway.ids import uuid7
from gateway.tally import Held
from tenants.models import Tenant
from tests import factories
from tests.support.pages import address, operator
from usage.models import Hold, LedgerEntry

pytestmark = pytest.mark.django_db
LIST = "usage_ledgerentry_changelist"
NO_BREAK = "\N{NO-BREAK SPACE}"


def line(meter: str, units: int, pico: int, cost: int, charge: int, price: int = 1) -> dict[str, Any]:
    return {
        "meter": meter,
        "units": units,
        "pico": pico,
        "cost_nano": cost,
        "charge_nano": charge,
        "price": price,
    }


def make_entry_at(tenant: Tenant, age: timedelta, **fields: Any) -> LedgerEntry:
    at = timezone.now() - age
    return factories.make_entry(tenant, id=uuid7(int(at.timestamp() * 1000)), at=at, **fields)


def listed(client: Client, **query: str) -> set[UUID]:
    return {entry.pk for entry in client.get(address(LIST), query).context["cl"].result_list}


def test_the_list_tells_what_a_call_cost_to_the_last_nano_dollar() -> None:
    meters = {"input": 1_200, "output": 77, "search": 1}
    factories.make_entry(
        factories.make_tenant(),
        model_asked="small",
        meters=meters,
        cost_nano=226_200,
        charge_nano=1_000_000_001,
        key="app",
        latency_ms=1_234,
        status="unsettled",
    )
    page = operator().get(address(LIST)).content.decode()
    told = ("acme", "app", "small → gpt-4o-mini", "1,277", "$0.0002262", "$1.000000001", f"1,234{NO_BREAK}ms")
    assert [word for word in told if word not in page] == []


def test_the_list_reaches_back_a_day_unless_asked_for_more() -> None:
    client, tenant = operator(), factories.make_tenant()
    ages = {"hour": timedelta(hours=1), "days": timedelta(days=3), "weeks": timedelta(days=20)}
    entries = {name: make_entry_at(tenant, age).pk for name, age in ages.items()}
    make_entry_at(tenant, timedelta(days=40))
    assert listed(client) == {entries["hour"]}
    assert listed(client, since="7d") == {entries["hour"], entries["days"]}
    assert listed(client, since="31d") == set(entries.values())
    assert listed(client, since="for ever") == {entries["hour"]}


def test_a_call_is_found_by_its_ids_whenever_it_was_and_by_names_in_the_window() -> None:
    client, acme = operator(), factories.make_tenant()
    key, _ = factories.make_key(acme, "app")
    old = make_entry_at(acme, timedelta(days=200), request_id="req-old")
    new = make_entry_at(factories.make_tenant("globex"), timedelta(0), request_id="req-new")
    keyed = make_entry_at(acme, timedelta(hours=2), request_id="req-key", key_id=key.pk, key="app")
    assert listed(client, q="req-old") == listed(client, q=f" {old.pk} ") == {old.pk}
    assert listed(client, q="req-ol") == set()
    assert listed(client, q="glob") == {new.pk}
    assert listed(client, q="ap") == listed(client, q="acme") == {keyed.pk}
    Tenant.objects.all().delete()
    assert listed(client, q="glob") == {new.pk}


def test_the_list_neither_counts_nor_joins_nor_reads_everything() -> None:
    client, tenant = operator(), factories.make_tenant()
    for number in range(55):
        make_entry_at(tenant, timedelta(minutes=number))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(listed(client, status="settled")) == 50
        assert len(listed(client, p="2")) == 5
        assert listed(client, p="3") == set()
    asked = [query["sql"] for query in queries if "usage_ledgerentry" in query["sql"]]
    assert not [sql for sql in asked if "COUNT(" in sql or "JOIN" in sql or "DISTINCT" in sql]
    assert all('"usage_ledgerentry"."id" >= ' in sql and "LIMIT" in sql for sql in asked)


def test_nobody_writes_the_ledger_here() -> None:
    client, entry = operator(), factories.make_entry(factories.make_tenant())
    before = list(LedgerEntry.objects.values())
    bulk = {"action": "delete_selected", "_selected_action": str(entry.pk), "post": "yes"}
    assert client.get(address("usage_ledgerentry_add")).status_code == 403
    assert client.post(address("usage_ledgerentry_add"), {"tenant": "acme"}).status_code == 403
    assert client.post(address("usage_ledgerentry_change", entry.pk), {"charge_nano": 0}).status_code == 403
    assert client.post(address("usage_ledgerentry_delete", entry.pk), {"post": "yes"}).status_code == 403
    client.post(address(LIST), bulk)
    assert list(LedgerEntry.objects.values()) == before


def test_an_entrys_lines_add_up_to_it() -> None:
    lines = [line("input", 1_200, 150_000, 180_000, 198_000), line("search", 1, 0, 0, 0, price=0)]
    entry = factories.make_entry(factories.make_tenant(), cost_nano=180_000, charge_nano=198_000, lines=lines)
    answer = operator().get(address("usage_ledgerentry_change", entry.pk))
    page = answer.content.decode()
    total = page[page.index("Total") :]
    assert total.index("$0.00018<") < total.index("$0.000198<")
    assert "$0.15 per million tokens" in page
    assert "no price" in page
    assert "not itemised" not in page


def test_what_no_line_names_is_a_line_too() -> None:
    entry = factories.make_entry(
        factories.make_tenant(),
        status="unsettled",
        cost_nano=5_000,
        charge_nano=7_000,
        lines=[line("bound", 1, 0, 1_000, 2_000, price=0)],
    )
    page = operator().get(address("usage_ledgerentry_change", entry.pk)).content.decode()
    _, _, rest = page.partition("not itemised")
    itemised, _, total = rest.partition("Total")
    assert re.findall(r"\$[0-9.]+", itemised) == ["$0.000004", "$0.000005"]
    assert re.findall(r"\$[0-9.]+", total)[:2] == ["$0.000005", "$0.000007"]
    assert "charged at its bound" in page


def test_an_entry_tells_its_attempts_tags_and_corrections() -> None:
    tenant = factories.make_tenant()
    attempts = [
        {"deployment": "openai/gpt-4o", "outcome": "timeout", "milliseconds": 30_000, "unknown_nano": 5_000},
        {"deployment": "echo/gpt-4o", "outcome": "ok", "milliseconds": 12, "status": 200},
    ]
    entry = factories.make_entry(
        tenant, attempts=attempts, tags={"team": "<red>"}, ttft_ms=80, overhead_us=812
    )
    mending = factories.make_entry(tenant, corrects=entry.pk)
    factories.make_correction(entry, correcting_id=mending.pk, reason="billed twice")
    client = operator()
    page = client.get(address("usage_ledgerentry_change", entry.pk)).content.decode()
    told = (
        "30,000 ms",
        "$0.000005",
        "timeout",
        "200",
        "team",
        "&lt;red&gt;",
        "80 ms",
        "812 µs",
        "billed twice",
    )
    assert [word for word in told if word not in page] == []
    other = client.get(address("usage_ledgerentry_change", mending.pk)).content.decode()
    assert str(entry.pk) in other
    assert "no provider was called" in other


def test_calls_in_flight_are_read_from_the_embedded_books() -> None:
    client, tenant = operator(), factories.make_tenant()
    assert "No call is under way" in client.get(address("usage_hold_changelist")).content.decode()
    encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
    for slot, state in enumerate(Hold.State):
        held = hold_of(tenant)
        Hold.objects.create(
            slot=slot,
            call_id=held.id,
            lease_until_ms=held.lease_until_ms,
            record=encode(held),
            state=state,
        )
    answer = client.get(address("usage_hold_changelist"))
    page = answer.content.decode()
    assert [hold.state for hold in answer.context["cl"].result_list] == [Hold.State.OPEN]
    assert [word for word in ("acme", "gpt-4o-mini", "$0.0035", "5,000", "in 6") if word not in page] == []
    hold = Hold.objects.filter(state=Hold.State.OPEN).get()
    assert client.get(address("usage_hold_change", hold.pk)).status_code == 200
    assert client.post(address("usage_hold_delete", hold.pk), {"post": "yes"}).status_code == 403
    Hold.objects.update(lease_until_ms=0)
    assert "about to be booked" in client.get(address("usage_hold_changelist")).content.decode()


def hold_of(tenant: Tenant) -> Held:
    skeleton: dict[str, Any] = dict.fromkeys(Entry.__struct_fields__[:20], "")
    skeleton |= {"id": uuid7(), "at_ms": 0, "tenant_id": tenant.pk, "tenant": tenant.name, "kind": "chat"}
    skeleton |= {"status": "unsettled", "model_asked": "gpt-4o-mini"}
    skeleton |= dict.fromkeys(("project_id", "key_id", "end_user_id", "provider_id", "deployment_id"))
    lease = int(timezone.now().timestamp() * 1000) + 62_000
    return Held(uuid7(), lease, Amounts(1, 5_000, 1, 3_500_000), (), Entry(**skeleton))
