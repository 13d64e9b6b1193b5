"""Ends tenants."""

from django.core.exceptions import ValidationError
from django.db import transaction

from tenants.models import Tenant


def tenant_delete(*, tenant: Tenant) -> None:
    """Remove a tenant with its keys, projects, limits and budgets; its ledger entries stay.

    It is blocked first, so that no key dies under a running application by a slip.
    """
    with transaction.atomic():
        row = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if not row.blocked:
            raise ValidationError({"blocked": "Block the tenant first: its calls end before it does."})
        row.delete()
