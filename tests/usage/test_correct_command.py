"""The command asks for a mending, in dollars, and says what it will do."""

from uuid import UUID

import msgspec
import pytest
from django.core.management.base import CommandError

from gateway.entry import adjustment_line
from gateway.ids import uuid7
from tests import factories
from tests.support.configuration import printed
from usage.models import Correction, LedgerEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry() -> LedgerEntry:
    """A call that cost $0.10 and was charged $0.12."""
    return factories.make_entry(factories.make_tenant(), cost_nano=100_000_000, charge_nano=120_000_000)


def correct(
    entry: LedgerEntry | UUID | str, *arguments: str, kind: str = "refund", reason: str = "cut"
) -> str:
    identifier = entry.pk if isinstance(entry, LedgerEntry) else entry
    return printed("correct", str(identifier), "--kind", kind, "--reason", reason, *arguments)


def refused(*arguments: str, entry: LedgerEntry | UUID | str, **others: str) -> str:
    with pytest.raises(CommandError) as error:
        correct(entry, *arguments, **others)
    assert not Correction.objects.exists()
    return str(error.value)


def test_amounts_are_dollars_to_the_last_digit(entry: LedgerEntry) -> None:
    told = correct(entry, "--charge", "-0.070000001", "--cost", "-0.05")
    row = Correction.objects.get()
    assert (row.charge_nano, row.cost_nano, row.kind, row.reason) == (
        -70_000_001,
        -50_000_000,
        "refund",
        "cut",
    )
    assert row.created_by is None
    expected = (str(row.correcting_id), "-$0.070000001 of charge", "-$0.05 of cost", "acme")
    assert [word for word in expected if word not in told] == []


def test_an_amount_that_is_not_named_is_zero(entry: LedgerEntry) -> None:
    correct(entry, "--cost", "1e-9", kind="correction")
    assert (Correction.objects.get().charge_nano, Correction.objects.get().cost_nano) == (0, 1)


def test_what_is_wrong_is_said(entry: LedgerEntry) -> None:
    assert "not the id of an entry" in refused("--charge", "-1", entry="req-1")
    assert "no such entry" in refused("--charge", "-1", entry=uuid7())
    assert "--charge one: Write a number" in refused("--charge", "one", entry=entry)
    assert "--cost 0.0000000001: At most 9 digits" in refused("--cost", "0.0000000001", entry=entry)
    assert "$0.12 are left" in refused("--charge", "-0.13", entry=entry)
    assert "both amounts are zero" in refused(entry=entry)
    assert "Say what was wrong" in refused("--charge", "-0.01", entry=entry, reason=" ")
    assert "invalid choice" in refused("--charge", "-0.01", entry=entry, kind="gift")


def test_what_is_mended_is_no_unit_without_a_price(entry: LedgerEntry) -> None:
    lines = [msgspec.to_builtins(adjustment_line(cost_nano=0, charge_nano=-1))]
    factories.make_entry(factories.make_tenant("globex"), corrects=entry.pk, lines=lines)
    assert printed("ledger", "--unpriced") == ""
