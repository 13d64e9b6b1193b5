"""What a tenant decided about its calls reaches the engine."""

from typing import Any, get_args, get_type_hints

import pytest

from gateway.principal import Policy as EnginePolicy
from gateway.principal import Principal
from tenants.models import Member, Policy, Tenant
from tenants.principals import known_load
from tenants.roles import TENANT_ROLES
from tests import factories

pytestmark = pytest.mark.django_db


def principal_of(tenant: Tenant, **key: Any) -> Principal:
    _, credential = factories.make_key(tenant, **key)
    return known_load(credential=credential, tenant_name="", project_name="").principal


@pytest.mark.parametrize(
    ("column", "value", "meant"),
    [
        ("over_budget", "clamp", "clamp"),
        ("books_away", "allow", "allow"),
        ("tags", ["team"], ("team",)),
        ("cache", "off", "off"),
        ("cache", "all", "all"),
        ("cache_seconds", 60, 60),
        ("semantic_model", "text-embedding-3-small", "text-embedding-3-small"),
        ("semantic_threshold", 9_250, 0.925),
        ("queue_seconds", 5, 5.0),
        ("queue_length", 7, 7),
        ("prompt_cache", "auto", "auto"),
    ],
)
def test_each_decision_is_told_and_no_other_with_it(column: str, value: Any, meant: Any) -> None:
    tenant = factories.make_tenant()
    Policy.objects.create(tenant=tenant, **{column: value})
    assert principal_of(tenant).policy == EnginePolicy(**{column: meant})


def test_a_tenant_that_decided_nothing_has_the_engines_defaults() -> None:
    tenant = factories.make_tenant()
    assert principal_of(tenant).policy == EnginePolicy()
    Policy.objects.create(tenant=tenant)
    assert principal_of(tenant, name="other").policy == EnginePolicy()


@pytest.mark.parametrize("column", ["cache", "over_budget", "books_away", "prompt_cache"])
def test_what_can_be_decided_is_what_the_engine_knows(column: str) -> None:
    choices = dict(getattr(Policy._meta.get_field(column), "choices", ()))
    assert set(choices) == set(get_args(get_type_hints(EnginePolicy)[column]))


def test_a_key_tells_its_priority_and_roles() -> None:
    tenant = factories.make_tenant()
    plain, owner = (
        principal_of(tenant),
        principal_of(tenant, name="own", priority=-3, roles=["owner", "viewer"]),
    )
    assert (plain.priority, plain.roles) == (0, ())
    assert (owner.priority, owner.roles) == (-3, ("owner", "viewer"))


def test_keys_and_members_of_a_tenant_have_the_same_roles() -> None:
    assert set(TENANT_ROLES) == set(Member.Role.values)
