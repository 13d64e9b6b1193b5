"""Mending in the admin: asked, shown what follows, confirmed; and only by whom it is trusted to."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from tenants.models import Budget, Tenant
from tests import factories
from tests.support.pages import address, operator, shown_fields, submit
from usage.corrections import correction_add, correction_applied
from usage.models import Correction, LedgerEntry

pytestmark = pytest.mark.django_db
LIST = "usage_correction_changelist"


@pytest.fixture
def acme() -> Tenant:
    tenant = factories.make_tenant()
    factories.make_budget(tenant=tenant)
    return tenant


@pytest.fixture
def entry(acme: Tenant) -> LedgerEntry:
    """A call that cost $1 and was charged $1.20."""
    return factories.make_entry(acme, cost_nano=10**9, charge_nano=1_200_000_000)


def member(name: str, tenant: Tenant, *permissions: str) -> Client:
    """A browser of somebody of the tenant with these permissions."""
    user = factories.make_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    factories.make_member(tenant, user)
    client = Client()
    client.force_login(user)
    return client


def mend(entry: LedgerEntry) -> str:
    return address("usage_ledgerentry_mend", entry.pk)


def told(answer: Any) -> str:
    """The page as text."""
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def first_step(client: Client, entry: LedgerEntry, **changes: Any) -> Any:
    """The answer to the form."""
    asked = {"kind": "refund", "charge_nano": "-1.20", "cost_nano": "0", "reason": "billed twice"}
    return submit(client, mend(entry), **asked | changes)


def test_what_follows_is_shown_before_the_deed(entry: LedgerEntry) -> None:
    client = operator()
    assert "This entry is of $1.20 of charge and $1.00 of cost." in told(client.get(mend(entry)))
    page = told(first_step(client, entry, cost_nano="-0.25"))
    for sentence in (
        "The ledger stays as it is; another entry of -$1.20 of charge and -$0.25 of cost is added.",
        "Within seconds the budget of tenant acme gets $1.20 back, in the window of now.",
        "The entry and its mendings then come to $0.00 of charge and $0.75 of cost.",
        "The reason on record is: billed twice",
    ):
        assert sentence in page
    assert not Correction.objects.exists()


def test_the_confirmed_mending_is_asked_for_once(entry: LedgerEntry) -> None:
    client = operator()
    fields = shown_fields(first_step(client, entry, charge_nano="-0.50").content.decode())
    for _ in range(2):
        answer = client.post(mend(entry), fields, follow=True)
    assert "This mending was asked for already." in told(answer)
    correction = Correction.objects.get()
    assert (correction.entry_id, correction.charge_nano, correction.cost_nano) == (entry.pk, -500_000_000, 0)
    assert correction.created_by is not None
    assert correction.created_by.username == "alice"
    assert "billed twice" in LogEntry.objects.get().change_message


@pytest.mark.parametrize("token", ["", "made-up", "0" * 32], ids=["none", "made up", "an id"])
def test_nothing_is_mended_without_having_seen_what_follows(entry: LedgerEntry, token: str) -> None:
    page = told(first_step(operator(), entry, token=token))
    assert "The ledger stays as it is" in page
    assert not Correction.objects.exists()


def test_a_confirmation_is_for_what_was_shown_and_to_whom(entry: LedgerEntry, acme: Tenant) -> None:
    client, other = operator(), factories.make_entry(acme, charge_nano=1_200_000_000)
    bob = member("bob", acme, "view_ledgerentry", "add_correction")
    fields = shown_fields(first_step(client, entry, reason="billed\r\ntwice").content.decode())
    swapped = [
        (client, entry, fields | {"charge_nano": "-1.19"}),
        (client, entry, fields | {"kind": "correction"}),
        (client, entry, fields | {"reason": "just so"}),
        (client, other, fields),
        (bob, entry, fields),
    ]
    for browser, mended, sent in swapped:
        assert "The ledger stays as it is" in told(browser.post(mend(mended), sent))
    assert not Correction.objects.exists()
    assert client.post(mend(entry), fields | {"reason": "billed\ntwice"}).status_code == 302
    assert Correction.objects.count() == 1


def test_a_confirmation_is_not_kept_for_hours(entry: LedgerEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    client = operator()
    fields = shown_fields(first_step(client, entry).content.decode())
    monkeypatch.setattr("django.core.signing.time.time", lambda: timezone.now().timestamp() + 3_700)
    assert "The ledger stays as it is" in told(client.post(mend(entry), fields))
    assert not Correction.objects.exists()


def test_what_became_wrong_meanwhile_is_said_at_the_confirmation(entry: LedgerEntry) -> None:
    client = operator()
    fields = shown_fields(first_step(client, entry).content.decode())
    refund: dict[str, Any] = {"charge_nano": -1, "cost_nano": 0, "reason": "quicker", "user": None}
    correction_add(entry_id=entry.pk, kind="refund", **refund)
    assert "$1.199999999 are left" in told(client.post(mend(entry), fields))
    assert Correction.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"charge_nano": "-1.21"}, "$1.20 are left"),
        ({"charge_nano": "0"}, "both amounts are zero"),
        ({"charge_nano": "1,20"}, "Write a number"),
        ({"charge_nano": "-0.0000000001"}, "At most 9 digits"),
        ({"reason": "  "}, "This field is required"),
        ({"kind": "credit", "cost_nano": "-1"}, "its cost is zero"),
        ({"kind": "gift"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_at_the_form(entry: LedgerEntry, changes: dict[str, str], problem: str) -> None:
    assert problem in told(first_step(operator(), entry, **changes))
    assert not Correction.objects.exists()


def test_more_money_and_no_budget_are_told_too(entry: LedgerEntry) -> None:
    client = operator()
    up = {"kind": "correction", "charge_nano": "0.10"}
    assert "$0.10 more counts as spent on the budget of tenant acme" in told(first_step(client, entry, **up))
    cost = {"kind": "correction", "charge_nano": "0", "cost_nano": "1"}
    assert "No budget changes: budgets count what is charged." in told(first_step(client, entry, **cost))
    Budget.objects.all().delete()
    assert "No budget changes: none counts this call." in told(first_step(client, entry))


def test_budgets_are_named_and_a_person_is_not(acme: Tenant) -> None:
    charlie, (key, _) = factories.make_end_user(acme), factories.make_key(acme)
    for owner in ({"key": key}, {"end_user": charlie}):
        factories.make_budget(**owner)
    entry = factories.make_entry(acme, charge_nano=10**10, key_id=key.pk, end_user_id=charlie.pk)
    page = told(first_step(operator(), entry))
    assert "the budgets of tenant acme and key app and the end user get $1.20 back" in page


def test_an_unsettled_call_may_still_mend_itself_for_a_day(acme: Tenant) -> None:
    client = operator()
    young = factories.make_entry(acme, status="unsettled")
    old = factories.make_entry(acme, status="unsettled", at=timezone.now() - timedelta(days=2))
    assert "the books mend it themselves" in told(client.get(mend(young)))
    assert "the books mend it themselves" not in told(client.get(mend(old)))


def test_whoever_may_add_corrections_mends_entries_of_their_tenant_alone(entry: LedgerEntry) -> None:
    globex = factories.make_tenant("globex")
    may = ("view_ledgerentry", "add_correction")
    alice = member("alice", Tenant.objects.get(name="acme"), *may)
    charlie = member("charlie", globex, *may)
    first_step(alice, entry)
    for method in (charlie.get, charlie.post):
        assert method(mend(entry)).status_code == 403
    fields = shown_fields(first_step(alice, entry).content.decode())
    assert charlie.post(mend(entry), fields).status_code == 403
    assert not Correction.objects.exists()
    assert alice.post(mend(entry), fields).status_code == 302
    assert Correction.objects.count() == 1


@pytest.mark.parametrize("permissions", [("view_ledgerentry", "view_correction"), ("add_correction",)])
def test_others_mend_nothing_and_are_not_offered_it(entry: LedgerEntry, permissions: tuple[str, ...]) -> None:
    bob = member("bob", Tenant.objects.get(name="acme"), *permissions)
    assert bob.get(mend(entry)).status_code == 403
    assert bob.post(mend(entry), {"kind": "refund"}).status_code == 403
    page = bob.get(address("usage_ledgerentry_change", entry.pk)).content.decode()
    assert mend(entry) not in page


def test_what_mends_is_not_offered_to_be_mended(entry: LedgerEntry, acme: Tenant) -> None:
    mending = factories.make_entry(acme, corrects=entry.pk)
    client = operator()
    pages = [
        client.get(address("usage_ledgerentry_change", one.pk)).content.decode() for one in (entry, mending)
    ]
    assert [mend(entry) in pages[0], mend(mending) in pages[1]] == [True, False]
    assert client.get(mend(mending)).status_code == 403


def test_an_entry_lists_its_mendings_and_what_is_left(entry: LedgerEntry, acme: Tenant) -> None:
    client = operator()
    booked = factories.make_correction(entry, charge_nano=-200_000_000, reason="cut short")
    factories.make_entry(
        acme, id=booked.correcting_id, corrects=entry.pk, charge_nano=-200_000_000, cost_nano=0
    )
    correction_applied(correction=booked)
    pending = factories.make_correction(entry, charge_nano=-50_000_000, kind="credit", reason="sorry")
    late = factories.make_entry(acme, corrects=entry.pk, charge_nano=-150_000_000, cost_nano=-1)
    answer = client.get(address("usage_ledgerentry_change", entry.pk))
    page = told(answer)
    _, _, table = page.partition("Mended by")
    assert f"Refund $0.00 -$0.20 cut short …{str(booked.correcting_id)[-12:]}" in table
    assert "Credit $0.00 -$0.05 sorry pending" in table
    assert "Late settlement -$0.000000001 -$0.15 The call settled after" in table
    assert "Entry, mended $0.999999999 $0.80" in table
    html = answer.content.decode()
    linked = [address("usage_ledgerentry_change", pk) in html for pk in (booked.correcting_id, late.pk)]
    assert linked == [True, True]
    assert str(pending.correcting_id) not in html
    mending = told(client.get(address("usage_ledgerentry_change", booked.correcting_id)))
    assert f"Refund cut short …{str(entry.pk)[-12:]}" in mending


def test_corrections_are_listed_and_only_read(entry: LedgerEntry) -> None:
    client = operator()
    assert "No entry was mended" in told(client.get(address(LIST)))
    row = factories.make_correction(entry, reason="cut short", created_by=factories.make_user("bob"))
    page = told(client.get(address(LIST)))
    assert [word for word in ("acme", "-$1.20", "pending", "cut short") if word not in page] == []
    correction_applied(correction=row)
    assert "booked" in told(client.get(address(LIST)))
    page = told(client.get(address("usage_correction_change", row.pk)))
    assert [word for word in (str(entry.pk), str(row.correcting_id), "bob") if word not in page] == []
    for deed in ("change", "delete"):
        answer = client.post(address(f"usage_correction_{deed}", row.pk), {"post": "yes", "reason": "x"})
        assert answer.status_code == 403
    assert client.get(address("usage_correction_add")).status_code == 403
    assert Correction.objects.get().reason == "cut short"


def test_a_tenants_corrections_are_seen_by_its_members_alone(entry: LedgerEntry) -> None:
    row = factories.make_correction(entry, reason="cut short", created_by=factories.make_user("dora"))
    acme, globex = Tenant.objects.get(), factories.make_tenant("globex")
    bob, charlie = member("bob", acme, "view_correction"), member("charlie", globex, "view_correction")
    page = address("usage_correction_change", row.pk)
    assert "cut short" in told(bob.get(address(LIST)))
    assert "dora" not in told(bob.get(page))
    assert "cut short" not in told(charlie.get(address(LIST)))
    assert charlie.get(page).status_code == 302


def test_an_entry_that_is_nowhere_is_not_mended() -> None:
    assert operator().get(address("usage_ledgerentry_mend", UUID(int=7))).status_code == 403
