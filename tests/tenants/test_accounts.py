"""Limits and budgets become the accounts that calls move."""

from typing import Any

import pytest

from gateway.accounts import Account
from tenants.accounts import budget_accounts, class_accounts, end_user_accounts, tenant_accounts
from tenants.keys import key_rotate
from tenants.models import LimitClass, Tenant
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    """A tenant whose days begin in Berlin."""
    return factories.make_tenant(time_zone="Europe/Berlin")


def _told(accounts: tuple[Account, ...]) -> list[tuple[str, str, int, str]]:
    return [(one.scope, one.unit, one.limit, one.window) for one in accounts]


def test_a_call_moves_the_accounts_of_tenant_project_and_key(tenant: Tenant) -> None:
    project = factories.make_project(tenant)
    key, _ = factories.make_key(tenant, project=project)
    factories.make_limit(600, tenant=tenant)
    factories.make_budget(100, tenant=tenant)
    factories.make_limit(5, "concurrency", "", project=project)
    factories.make_limit(1_000, "tokens", "day", key=key)
    factories.make_budget(1, "total", key=key, hard=False)
    factories.make_limit(1, tenant=factories.make_tenant("other"))
    accounts = tenant_accounts(tenant=tenant, project=project, key=key)
    assert _told(accounts) == [
        ("tenant", "requests", 600, "minute"),
        ("tenant", "nano", 100 * 10**9, "month"),
        ("project", "concurrency", 5, "none"),
        ("key", "tokens", 1_000, "day"),
        ("key", "nano", 10**9, "total"),
    ]
    assert {one.zone for one in accounts} == {"Europe/Berlin"}
    assert [one.hard for one in accounts] == [True, True, True, True, False]
    assert [one.name for one in accounts] == ["acme", "acme", "search", "app", "app"]


def test_every_account_counts_for_itself(tenant: Tenant) -> None:
    for window in ("minute", "hour"):
        for model in ("", "gpt-4o"):
            factories.make_limit(1, "requests", window, tenant=tenant, model=model)
            factories.make_limit(1, "tokens", window, tenant=tenant, model=model)
    for hard in (True, False):
        factories.make_budget(1, tenant=tenant, hard=hard)
    accounts = tenant_accounts(tenant=tenant, project=None, key=None)
    assert len({one.id for one in accounts}) == len(accounts) == 10


def test_a_burst_is_an_account_beside_its_limit(tenant: Tenant) -> None:
    factories.make_limit(60, tenant=tenant, burst_calls=10, burst_seconds=2, cooldown_seconds=30)
    limit, burst = tenant_accounts(tenant=tenant, project=None, key=None)
    assert (limit.limit, limit.length_ms, limit.cooldown_ms) == (60, 0, 30_000)
    assert (burst.unit, burst.limit, burst.length_ms, burst.cooldown_ms) == ("requests", 10, 2_000, 30_000)
    assert burst.id == f"{limit.id}:burst"


def test_a_rotated_key_goes_on_counting_where_it_stood(tenant: Tenant) -> None:
    old, _ = factories.make_key(tenant)
    factories.make_budget(5, key=old)
    new, _ = key_rotate(key=old, grace_seconds=60)
    before, after = (tenant_accounts(tenant=tenant, project=None, key=key) for key in (old, new))
    assert before == after
    assert len(after) == 1


def test_end_users_of_a_class_count_for_themselves(tenant: Tenant) -> None:
    standard = LimitClass.objects.create(name="standard")
    factories.make_limit(60, limit_class=standard)
    alice, bob = (factories.make_end_user(tenant, name, limit_class=standard) for name in ("alice", "bob"))
    (template,) = class_accounts(limit_class=standard, zone="UTC")
    ids = [end_user_accounts(end_user=person, zone="UTC")[0].id for person in (alice, bob)]
    assert ids == [f"{template.id}:{alice.id.hex}", f"{template.id}:{bob.id.hex}"]
    assert class_accounts(limit_class=None, zone="UTC") == ()


def test_an_end_user_has_rows_of_their_own_too(tenant: Tenant) -> None:
    charlie = factories.make_end_user(tenant)
    factories.make_limit(7, "tokens", "day", end_user=charlie)
    factories.make_budget(1, end_user=charlie)
    assert _told(end_user_accounts(end_user=charlie, zone="UTC")) == [
        ("end_user", "tokens", 7, "day"),
        ("end_user", "nano", 10**9, "month"),
    ]


def _budgets(tenant: Tenant, **call: Any) -> list[tuple[str, str]]:
    """Whose budgets a past call moves now."""
    nobody: dict[str, Any] = {"project_id": None, "key_id": None, "end_user_id": None, "model": "gpt-4o"}
    accounts = budget_accounts(tenant_id=tenant.pk, **nobody | call)
    assert {one.unit for one in accounts} <= {"nano"}
    return [(one.scope, one.name) for one in accounts]


def test_a_past_call_moves_the_budgets_of_whose_it_was(tenant: Tenant) -> None:
    project, end_user = factories.make_project(tenant), factories.make_end_user(tenant)
    key, _ = factories.make_key(tenant, project=project)
    for owner in ({"tenant": tenant}, {"project": project}, {"key": key}, {"end_user": end_user}):
        factories.make_budget(**owner)
        factories.make_limit(**owner)
    ids = {"project_id": project.pk, "key_id": key.pk, "end_user_id": end_user.pk}
    everyone = [("tenant", "acme"), ("project", "search"), ("key", "app"), ("end_user", "charlie")]
    assert _budgets(tenant, **ids) == everyone
    assert _budgets(tenant) == everyone[:1]
    key.delete()
    end_user.delete()
    assert _budgets(tenant, **ids) == everyone[:2]
    accounts = tenant_accounts(tenant=tenant, project=project, key=None)
    now = budget_accounts(
        tenant_id=tenant.pk, project_id=project.pk, key_id=None, end_user_id=None, model="gpt-4o"
    )
    assert now == tuple(one for one in accounts if one.unit == "nano")


def test_a_past_call_moves_no_budget_of_another_model(tenant: Tenant) -> None:
    for model in ("gpt-*", "o3"):
        factories.make_budget(tenant=tenant, model=model)
    assert _budgets(tenant) == [("tenant", "acme")]
    assert _budgets(tenant, model="claude") == []


def test_a_past_call_of_a_rotated_key_moves_the_budgets_of_its_lineage_once(tenant: Tenant) -> None:
    old, _ = factories.make_key(tenant)
    factories.make_budget(key=old)
    new, _ = key_rotate(key=old, grace_seconds=0)
    factories.make_budget(key=new, window="day")
    for key in (old, new):
        assert _budgets(tenant, key_id=key.pk) == [("key", "app")] * 2


def test_a_past_call_of_a_tenant_that_is_gone_moves_nothing(tenant: Tenant) -> None:
    factories.make_budget(tenant=tenant)
    gone = Tenant(pk=tenant.pk)
    tenant.delete()
    assert _budgets(gone) == []
