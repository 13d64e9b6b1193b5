"""The ledger is read newest first, a page at a time, by indexes alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.ids import uuid7
from tenants.models import Tenant
from tests import factories
from tests.api.manage.hands import Hand, key_hand, member, operator
from usage import entries
from usage.models import LedgerEntry

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


def booked(tenant: Tenant, ago: timedelta = timedelta(), **fields: Any) -> str:
    """The id of an entry that was written so long ago."""
    moment = timezone.now() - ago
    identifier = uuid7(int(moment.timestamp() * 1000))
    return str(factories.make_entry(tenant, id=identifier, at=moment, **fields).pk)


def ids(answer: Any) -> list[str]:
    return [entry["id"] for entry in answer["data"]]


def walked(hand: Hand, path: str) -> tuple[list[str], int]:
    """All entries from page to page, and how many pages they took."""
    found: list[str] = []
    for pages in range(1, 100):
        answer = hand.get(path)
        found += ids(answer)
        if answer["next"] is None:
            return found, pages
        path = answer["next"]
    raise AssertionError("the pages have no end")


def test_an_entry_has_its_money_in_dollars_and_in_integers(acme: Tenant) -> None:
    one = booked(acme, cost_nano=1_234_500_000, charge_nano=-5, meters={"input": 5})
    told = operator().get(f"entries/{one}")
    assert (told["cost_nano"], told["cost_usd"]) == (1_234_500_000, "1.2345")
    assert (told["charge_nano"], told["charge_usd"]) == (-5, "-0.000000005")
    assert (told["tenant"], told["meters"], told["status"]) == ("acme", {"input": 5}, "settled")


def test_the_last_day_is_told_unless_another_time_is_asked_for(acme: Tenant) -> None:
    now = timezone.now()
    old, recent, new = (booked(acme, timedelta(hours=hours)) for hours in (49, 25, 1))
    hand = operator()
    assert ids(hand.get("entries")) == [new]
    since = (now - timedelta(hours=30)).isoformat().replace("+00:00", "Z")
    until = (now - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    assert ids(hand.get(f"entries?since={since}")) == [new, recent]
    assert ids(hand.get(f"entries?since={since}&until={until}")) == [recent]
    assert ids(hand.get(f"entries?until={since}")) == [old]
    for wrong in ("yesterday", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z"):
        assert hand.refused("GET", f"entries?since={wrong}", status=400)["param"] == "since"


def test_pages_meet_without_a_gap_or_a_repetition(acme: Tenant) -> None:
    made = [booked(acme, timedelta(minutes=minutes)) for minutes in range(7)]
    hand = operator()
    assert walked(hand, "entries?limit=3") == (made, 3)
    first = hand.get("entries?limit=3")
    booked(acme)
    assert ids(hand.get(first["next"])) == made[3:6]


def test_entries_are_found_by_tenant_key_and_model(acme: Tenant) -> None:
    globex = factories.make_tenant("globex")
    key, _ = factories.make_key(acme)
    by_key = booked(acme, timedelta(minutes=3), key_id=key.pk)
    by_model = booked(acme, timedelta(minutes=2), model="gpt-4o", model_asked="large")
    other = booked(globex, timedelta(minutes=1))
    hand = operator()
    assert ids(hand.get("entries")) == [other, by_model, by_key]
    assert (
        ids(hand.get("entries?tenant=acme"))
        == ids(hand.get(f"entries?tenant={acme.pk}"))
        == [by_model, by_key]
    )
    assert ids(hand.get(f"entries?key={key.pk}")) == [by_key]
    assert ids(hand.get(f"entries?key={key.pk}&tenant=globex")) == []
    assert ids(hand.get("entries?model=gpt-4o")) == ids(hand.get("entries?model=large")) == [by_model]
    gone = str(acme.pk)
    acme.delete()
    assert ids(hand.get(f"entries?tenant={gone}")) == [by_model, by_key]


def test_entries_of_several_tenants_come_in_one_order(acme: Tenant) -> None:
    globex, third = factories.make_tenant("globex"), factories.make_tenant("third")
    made = [booked((acme, globex)[minutes % 2], timedelta(minutes=minutes)) for minutes in range(6)]
    booked(third)
    delegate = key_hand("operator", tenants=(acme, globex))
    assert walked(delegate, "entries?limit=2") == (made, 3)


def test_a_page_looks_at_so_many_rows_and_the_next_goes_on(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "LOOKED_AT_MOST", 3)
    made = [booked(acme, timedelta(minutes=minutes), model=f"m{minutes}") for minutes in range(8)]
    rare = key_hand("operator", tenants=(acme,))
    assert walked(rare, "entries?model=m7") == ([made[7]], 3)
    assert walked(operator(), "entries?model=m4") == ([made[4]], 3)


def test_several_tenants_share_what_a_page_looks_at(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "LOOKED_AT_MOST", 4)
    globex = factories.make_tenant("globex")
    made = [
        booked((acme, globex)[minutes % 2], timedelta(minutes=minutes), model=f"m{minutes}")
        for minutes in range(8)
    ]
    delegate = key_hand("operator", tenants=(acme, globex))
    assert walked(delegate, "entries?model=m7") == ([made[7]], 3)


def test_no_page_counts_skips_or_reads_the_whole_ledger(acme: Tenant, each_database: str) -> None:
    key, _ = factories.make_key(acme)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(id=uuid7(), at=timezone.now(), tenant_id=acme.pk, tenant="acme", key_id=key.pk)
        for _ in range(300)
    )
    alice = member("alice", acme)
    queries = ("entries", "entries?tenant=acme", f"entries?key={key.pk}", "entries?model=gpt-4o-mini")
    for path in (*queries, f"entries/{LedgerEntry.objects.first().pk}"):  # type: ignore[union-attr]
        for hand in (alice, operator()):
            with CaptureQueriesContext(connection) as asked:
                hand.get(path)
            ours = [query["sql"] for query in asked if "usage_ledgerentry" in query["sql"]]
            assert ours
            for sql in ours:
                assert "COUNT(" not in sql
                assert "FROM" not in plan(sql) or each_database == "postgresql"
                assert not reads_all(plan(sql)), (sql, plan(sql))


def plan(sql: str) -> str:
    """How the database would answer, on PostgreSQL with no way but an index left if there is one."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        prefix = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{prefix} {sql}")
        return "\n".join(str(row) for row in cursor.fetchall())


def reads_all(steps: str) -> bool:
    """Whether a step reads the table from one end to the other, or sorts what it read."""
    return any(word in steps for word in ("Seq Scan", "SCAN usage_ledgerentry", "TEMP B-TREE", "Sort  "))


def test_entries_are_found_by_request_and_by_how_they_ended(acme: Tenant) -> None:
    globex = factories.make_tenant("globex")
    key, _ = factories.make_key(acme)
    one = booked(acme, timedelta(minutes=3), request_id="one", key_id=key.pk)
    again = booked(acme, timedelta(minutes=2), request_id="one", status="failed")
    others = booked(globex, timedelta(minutes=1), request_id="one", status="failed")
    hand = operator()
    assert ids(hand.get("entries?request_id=one")) == [others, again, one]
    assert ids(hand.get("entries?request_id=one&tenant=acme")) == [again, one]
    assert ids(hand.get(f"entries?request_id=one&key={key.pk}")) == [one]
    assert ids(member("alice", acme).get("entries?request_id=one&status=failed")) == [again]
    assert ids(hand.get("entries?status=failed")) == [others, again]
    assert ids(hand.get("entries?request_id=two")) == []
    assert hand.refused("GET", "entries?status=lost", status=400)["param"] == "status"
