"""What holds for a tenant that decided nothing of its own."""

import pytest
from pytest_django import Settings

from tenants.models import Policy
from tenants.principals import known_load
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_tenant_without_a_policy_has_that_of_the_process(settings: Settings) -> None:
    settings.GATEWAY_POLICY_DEFAULTS = {"cache": "all", "cache_seconds": 60}
    _, credential = factories.make_key(factories.make_tenant())
    policy = known_load(credential=credential, tenant_name="", project_name="").principal.policy
    assert (policy.cache, policy.cache_seconds) == ("all", 60)


def test_one_with_a_policy_has_its_own(settings: Settings) -> None:
    settings.GATEWAY_POLICY_DEFAULTS = {"cache": "all", "cache_seconds": 60}
    tenant = factories.make_tenant()
    Policy.objects.create(tenant=tenant)
    _, credential = factories.make_key(tenant)
    policy = known_load(credential=credential, tenant_name="", project_name="").principal.policy
    assert (policy.cache, policy.cache_seconds) == ("deterministic", 3600)
