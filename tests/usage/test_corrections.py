"""Having an entry mended: what may be asked for, and what of the asking can still change."""

from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway.ids import moment_of, uuid7
from tests import factories
from usage.books.ledger_sums import shard_sums
from usage.books.shards import shard_of
from usage.corrections import correction_add, correction_applied, entry_standing
from usage.models import Correction, LedgerEntry

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def entry() -> LedgerEntry:
    """A call that cost $0.10 and was charged $0.12."""
    tenant = factories.make_tenant()
    return factories.make_entry(tenant, cost_nano=100_000_000, charge_nano=120_000_000)


def ask(
    entry: LedgerEntry, kind: str = "refund", charge: int = 0, cost: int = 0, **others: Any
) -> Correction:
    asked: dict[str, Any] = {"entry_id": entry.pk, "reason": "billed twice", "user": None} | others
    return correction_add(kind=kind, charge_nano=charge, cost_nano=cost, **asked)


def refused(entry: LedgerEntry, *arguments: Any, **others: Any) -> dict[str, list[str]]:
    """What is wrong with it; nothing is asked for then."""
    before = Correction.objects.count()
    with pytest.raises(ValidationError) as error:
        ask(entry, *arguments, **others)
    assert Correction.objects.count() == before
    return error.value.message_dict


def test_a_row_says_all_that_the_mending_entry_needs(entry: LedgerEntry) -> None:
    alice = factories.make_user()
    correction = ask(entry, "refund", -70_000_000, -50_000_000, reason=" cut answer ", user=alice)
    row = Correction.objects.get()
    assert row == correction
    assert (row.entry_id, row.tenant_id, row.tenant) == (entry.pk, entry.tenant_id, "acme")
    assert (row.kind, row.charge_nano, row.cost_nano) == ("refund", -70_000_000, -50_000_000)
    assert (row.reason, row.created_by, row.applied_at) == ("cut answer", alice, None)
    assert row.correcting_id.version == 7
    assert LedgerEntry.objects.count() == 1


def test_only_an_entry_of_the_ledger_is_mended(entry: LedgerEntry) -> None:
    assert refused(entry, "refund", -1, entry_id=uuid7()) == {"entry_id": ["The ledger has no such entry."]}


def test_what_mends_is_not_mended_itself(entry: LedgerEntry) -> None:
    mending = factories.make_entry(factories.make_tenant("globex"), corrects=entry.pk)
    (told,) = refused(mending, "correction", 1)["entry_id"]
    assert str(entry.pk) in told


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_given(entry: LedgerEntry, reason: str) -> None:
    assert set(refused(entry, "refund", -1, reason=reason)) == {"reason"}


def test_a_reason_fits_its_column(entry: LedgerEntry) -> None:
    assert set(refused(entry, "refund", -1, reason="x" * 501)) == {"reason"}


@pytest.mark.parametrize("kind", ["refund", "credit", "correction"])
def test_a_mending_of_nothing_is_none(entry: LedgerEntry, kind: str) -> None:
    assert set(refused(entry, kind, 0, 0)) == {"charge_nano"}


def test_there_are_three_kinds(entry: LedgerEntry) -> None:
    assert set(refused(entry, "gift", -1)) == {"kind"}


@pytest.mark.parametrize("kind", ["refund", "credit"])
@pytest.mark.parametrize("charge", [0, 1])
def test_refunds_and_credits_give_back(entry: LedgerEntry, kind: str, charge: int) -> None:
    assert set(refused(entry, kind, charge, -1)) == {"charge_nano"}


def test_a_refund_adds_no_cost(entry: LedgerEntry) -> None:
    assert set(refused(entry, "refund", -1, 1)) == {"cost_nano"}


def test_a_credit_is_of_the_charge_alone_and_may_be_more_than_it(entry: LedgerEntry) -> None:
    assert set(refused(entry, "credit", -1, -1)) == {"cost_nano"}
    assert ask(entry, "credit", -500_000_000).charge_nano == -500_000_000


def test_a_correction_goes_up_or_down(entry: LedgerEntry) -> None:
    ask(entry, "correction", 5, -500_000_000)
    ask(entry, "correction", -500_000_000, 0)
    ask(entry, "correction", 0, 7)
    standing = entry_standing(entry=entry)
    assert (standing.charge_nano, standing.cost_nano) == (120_000_005 - 500_000_000, -400_000_000 + 7)


@pytest.mark.parametrize("charge", [2**53 + 1, -(2**53) - 1, 2**70])
def test_no_more_than_every_store_can_count(entry: LedgerEntry, charge: int) -> None:
    assert set(refused(entry, "correction", charge)) == {"charge_nano"}
    assert set(refused(entry, "correction", 1, charge)) <= {"charge_nano", "cost_nano"}
    assert ask(entry, "correction", -(2**53)).charge_nano == -(2**53)


def test_a_refund_gives_no_more_than_is_left(entry: LedgerEntry) -> None:
    ask(entry, "refund", -100_000_000)
    (told,) = refused(entry, "refund", -20_000_001)["charge_nano"]
    assert "$0.02 are left" in told
    ask(entry, "refund", -20_000_000)
    (told,) = refused(entry, "refund", -1)["charge_nano"]
    assert "$0.00 are left" in told


def test_a_refund_leaves_the_cost_above_zero_too(entry: LedgerEntry) -> None:
    ask(entry, "refund", -1, -90_000_000)
    (told,) = refused(entry, "refund", -1, -10_000_001)["cost_nano"]
    assert "$0.01 are left" in told
    ask(entry, "refund", -1, -10_000_000)


def test_what_is_left_counts_mendings_of_every_kind(entry: LedgerEntry) -> None:
    ask(entry, "credit", -60_000_000)
    ask(entry, "correction", 10_000_000)
    assert set(refused(entry, "refund", -70_000_001)) == {"charge_nano"}
    ask(entry, "refund", -70_000_000)


def test_what_is_left_counts_a_mending_once_though_it_is_booked(entry: LedgerEntry) -> None:
    correction = ask(entry, "refund", -100_000_000)
    booked: dict[str, Any] = {"request_id": entry.request_id, "charge_nano": -100_000_000, "cost_nano": 0}
    tenant = factories.make_tenant("globex")
    factories.make_entry(tenant, id=correction.correcting_id, corrects=entry.pk, **booked)
    assert entry_standing(entry=entry).charge_nano == 20_000_000


def test_what_is_left_counts_what_the_books_mended_themselves(entry: LedgerEntry) -> None:
    late: dict[str, Any] = {
        "request_id": entry.request_id,
        "charge_nano": -110_000_000,
        "cost_nano": -90_000_000,
    }
    factories.make_entry(factories.make_tenant("globex"), corrects=entry.pk, **late)
    assert set(refused(entry, "refund", -10_000_001)) == {"charge_nano"}
    ask(entry, "refund", -10_000_000, -10_000_000)


def test_the_same_is_asked_for_once(entry: LedgerEntry) -> None:
    once = uuid7()
    ask(entry, "credit", -1, correcting_id=once)
    told = refused(entry, "credit", -1, correcting_id=once)
    assert told == {"correcting_id": ["This mending was asked for already."]}


def test_that_it_is_booked_is_noted_once(entry: LedgerEntry) -> None:
    correction = ask(entry, "refund", -1)
    assert correction_applied(correction=correction)
    noted = Correction.objects.get().applied_at
    assert noted is not None
    assert not correction_applied(correction=correction)
    assert Correction.objects.get().applied_at == noted


def test_counters_that_were_lost_know_it_in_the_window_it_was_booked_in() -> None:
    tenant = factories.make_tenant()
    factories.make_budget(tenant=tenant, window="day")
    now_ms = int(timezone.now().timestamp() * 1000)
    long_ago = factories.make_entry(tenant, id=uuid7(now_ms - 40 * 86_400_000), charge_nano=500)
    correction = ask(long_ago, "refund", -300)
    for identifier, nano in ((correction.correcting_id, -300), (None, -100)):
        factories.make_entry(tenant, id=identifier, corrects=long_ago.pk, charge_nano=nano)
    (sums,) = shard_sums(shard_of(tenant.pk), moment_of(correction.correcting_id))
    assert sums.spent == -300


CHANGES: dict[str, object] = {
    "entry_id": UUID(int=1),
    "correcting_id": UUID(int=1),
    "tenant_id": UUID(int=1),
    "tenant": "globex",
    "kind": "credit",
    "cost_nano": -1,
    "charge_nano": -1,
    "reason": "another",
    "created_by_id": None,
    "created_at": timezone.now(),
}


def test_every_column_is_thought_of() -> None:
    assert {field.attname for field in Correction._meta.concrete_fields} == {*CHANGES, "id", "applied_at"}


@pytest.mark.parametrize("column", [*CHANGES, "id"])
def test_nothing_but_that_it_is_booked_is_filled_in(entry: LedgerEntry, column: str) -> None:
    correction = factories.make_correction(entry, created_by=factories.make_user())
    change = {column: CHANGES.get(column, correction.pk + 1)}
    for more in ({}, {"applied_at": timezone.now()}):
        with pytest.raises(IntegrityError, match="stay"), transaction.atomic():
            Correction.objects.update(**change | more)


def test_what_is_noted_is_neither_changed_nor_taken_back(entry: LedgerEntry) -> None:
    correction = factories.make_correction(entry)
    correction_applied(correction=correction)
    for moment in (None, timezone.now()):
        with pytest.raises(IntegrityError, match="stay"), transaction.atomic():
            Correction.objects.update(applied_at=moment)
    with pytest.raises(IntegrityError, match="stay"), transaction.atomic():
        Correction.objects.all().delete()
