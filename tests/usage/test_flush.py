"""A transactional test leaves no rows and no lifted guard behind."""

import pytest
from django.db import IntegrityError

from gateway.ids import uuid7
from tenants.models import Credit
from tests import factories
from tests.support.guards import guards_lifted
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("_turn", ["first", "second"])
def test_guarded_tables_start_empty_and_guarded(_turn: str) -> None:
    assert not LedgerEntry.objects.exists()
    tenant = factories.make_tenant()
    factories.make_entry(tenant)
    factories.make_price()
    Credit.objects.create(tenant=tenant, amount_nano=1, note="gift")
    with pytest.raises(IntegrityError):
        LedgerEntry.objects.all().delete()


def test_guards_come_back_after_a_failure() -> None:
    factories.make_entry(factories.make_tenant())
    with pytest.raises(LedgerEntry.DoesNotExist), guards_lifted():
        LedgerEntry.objects.get(pk=uuid7())
    with pytest.raises(IntegrityError):
        LedgerEntry.objects.update(cost_nano=1)
