"""What a tenant decided about its calls reaches the engine."""

import pytest

from tenants.models import Policy
from tenants.principals import known_load
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("over_budget", ["refuse", "clamp"])
def test_what_becomes_of_calls_over_budget(over_budget: str) -> None:
    tenant = factories.make_tenant()
    _, credential = factories.make_key(tenant)
    Policy.objects.create(tenant=tenant, over_budget=over_budget)
    known = known_load(credential=credential, tenant_name="", project_name="")
    assert known.principal.policy.over_budget == over_budget


def test_a_tenant_that_decided_nothing_has_them_refused() -> None:
    _, credential = factories.make_key(factories.make_tenant())
    known = known_load(credential=credential, tenant_name="", project_name="")
    assert known.principal.policy.over_budget == "refuse"
