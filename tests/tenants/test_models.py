"""What the tenants' tables let in."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError

from tenants.models import ApiKey, Budget, Credit, EndUser, Limit, LimitClass, Policy, Project, Tenant
from tests import factories

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.mark.parametrize("name", ["acme", "Acme-2.eu_west", "7", "a" * 64])
def test_a_tenants_name_is_a_short_word(name: str) -> None:
    Tenant(name=name).full_clean()


@pytest.mark.parametrize("name", ["", "-acme", "ac me", "acme/", "a" * 65, "acme\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Tenant(name=name).full_clean()


@pytest.mark.parametrize(
    "fields", [{"time_zone": "Berlin"}, {"markup_bps": -10_001}, {"markup_bps": 100_001}]
)
def test_a_tenants_odd_choices_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Tenant(name="acme", **fields).full_clean()


def test_a_limit_hangs_on_exactly_one_owner() -> None:
    tenant = factories.make_tenant()
    project = factories.make_project(tenant)
    key, _ = factories.make_key(tenant)
    owners: dict[str, Any] = {
        "tenant": tenant,
        "project": project,
        "key": key,
        "end_user": factories.make_end_user(tenant),
        "limit_class": LimitClass.objects.create(name="standard"),
    }
    for scope, owner in owners.items():
        factories.make_limit(**{scope: owner})
    mistakes: list[dict[str, Any]] = [{}, {"tenant": tenant, "project": project}, owners]
    for scopes in mistakes:
        with pytest.raises(IntegrityError), transaction.atomic():
            factories.make_limit(unit="tokens", **scopes)
    assert Limit.objects.count() == len(owners)


def test_a_budget_hangs_on_exactly_one_owner() -> None:
    tenant = factories.make_tenant()
    key, _ = factories.make_key(tenant)
    factories.make_budget(key=key)
    mistakes: list[dict[str, Any]] = [{}, {"tenant": tenant, "key": key}]
    for scopes in mistakes:
        with pytest.raises(IntegrityError), transaction.atomic():
            factories.make_budget(**scopes)
    assert Budget.objects.count() == 1


def test_an_owner_has_one_limit_of_a_kind() -> None:
    tenant = factories.make_tenant()
    factories.make_limit(tenant=tenant)
    factories.make_limit(tenant=tenant, model="gpt-4o-mini")
    factories.make_limit(tenant=factories.make_tenant("globex"))
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_limit(tenant=tenant, amount=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "requests", "window": ""},
        {"unit": "concurrency", "window": "minute"},
        {"burst_calls": 10},
        {"burst_calls": 10, "burst_seconds": 0},
    ],
)
def test_a_limit_that_means_nothing_is_refused(fields: dict[str, Any]) -> None:
    tenant = factories.make_tenant()
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_limit(**{"tenant": tenant} | fields)


@pytest.mark.parametrize("amount", [0, -1, 2**53 + 1])
def test_a_budget_is_positive_and_exact_as_a_double(amount: int) -> None:
    tenant = factories.make_tenant()
    with pytest.raises(IntegrityError), transaction.atomic():
        Budget.objects.create(tenant=tenant, amount_nano=amount)
    with pytest.raises(ValidationError, match="amount_nano"):
        Budget(tenant=tenant, amount_nano=amount).full_clean()


@pytest.mark.parametrize("percents", [[100, 80], [80, 80], [0], ["80"], [True], "80"])
def test_alerts_are_rising_whole_percents(percents: object) -> None:
    budget = Budget(tenant=factories.make_tenant(), amount_nano=1, alert_percents=percents)
    with pytest.raises(ValidationError, match="alert_percents"):
        budget.full_clean()


def test_names_are_unique_within_a_tenant_only() -> None:
    acme, globex = factories.make_tenant(), factories.make_tenant("globex")
    for tenant in (acme, globex):
        factories.make_project(tenant)
        factories.make_end_user(tenant)
    for model in (Project, EndUser):
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.create(tenant=acme, name=model.objects.filter(tenant=acme).get().name)


def test_a_key_stays_inside_its_tenant() -> None:
    project = factories.make_project(factories.make_tenant())
    with pytest.raises(ValidationError, match="another tenant"):
        factories.make_key(factories.make_tenant("globex"), project=project)


def test_a_project_stays_while_keys_book_on_it_and_goes_with_its_tenant() -> None:
    tenant = factories.make_tenant()
    project = factories.make_project(tenant)
    factories.make_key(tenant, project=project)
    with pytest.raises(RestrictedError):
        project.delete()
    tenant.delete()
    assert not ApiKey.objects.exists()


def test_only_platform_keys_reach_other_tenants() -> None:
    tenant = factories.make_tenant()
    reaches: list[dict[str, Any]] = [
        {"roles": ["operator"]},
        {"all_tenants": True},
        {"granted_tenants": [tenant]},
    ]
    for fields in reaches:
        with pytest.raises(ValidationError, match="platform"):
            factories.make_key(tenant, **fields)
    key, _ = factories.make_key(None, roles=["operator"], granted_tenants=[tenant])
    assert list(key.granted_tenants.all()) == [tenant]


def test_a_tenants_key_has_a_members_roles_and_a_platform_key_its_own() -> None:
    tenant = factories.make_tenant()
    roles = ["owner", "developer", "finance", "viewer"]
    assert factories.make_key(tenant, roles=roles)[0].roles == roles
    for owner, role in ((None, "owner"), (None, "viewer"), (tenant, "operator")):
        with pytest.raises(ValidationError, match=f"{role} is for") as refused:
            factories.make_key(owner, "other", roles=["finance", role])
        assert set(refused.value.message_dict) == {"roles"}


@pytest.mark.parametrize(
    "fields",
    [{"networks": ["10.0.0.0/99"]}, {"networks": "10.0.0.0/8"}, {"models": [""]}, {"roles": ["root"]}],
)
def test_a_keys_odd_choices_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        factories.make_key(None, **fields)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"semantic_threshold": 10_001},
        {"cache_seconds": 0},
        {"prompt_cache": "on"},
        {"queue_length": -1},
    ],
)
def test_a_policys_odd_choices_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Policy(tenant=factories.make_tenant(), **fields).full_clean()


def test_a_threshold_above_one_is_refused_by_the_table_too() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Policy.objects.create(tenant=factories.make_tenant(), semantic_threshold=10_001)


def test_a_policy_unsaved_is_the_default() -> None:
    policy = Policy(tenant=factories.make_tenant())
    policy.full_clean()
    assert (policy.cache, policy.over_budget, policy.books_away) == ("deterministic", "refuse", "refuse")
    assert (policy.sensitivity_action, policy.sensitivity_threshold, policy.log_content) == (
        "route",
        7000,
        False,
    )


def test_credits_are_only_added() -> None:
    credit = Credit.objects.create(
        tenant=factories.make_tenant(), amount_nano=10**9, note="invoice 7", created_by=factories.make_user()
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.update(amount_nano=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        credit.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.create(tenant=credit.tenant, amount_nano=0, note="nothing")
    assert Credit.objects.get().amount_nano == 10**9
