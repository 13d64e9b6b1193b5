"""A tenant with everything that hangs on it, on one page."""

import pytest

from tenants.models import Budget, EndUser, Limit, LimitClass, Member, Policy, Project, Tenant
from tests import factories
from tests.support.pages import address, errors, operator, shown_fields, submit

pytestmark = pytest.mark.django_db


def test_a_tenant_is_made_with_all_that_hangs_on_it() -> None:
    bob = factories.make_user("bob")
    answer = submit(
        operator(),
        address("tenants_tenant_add"),
        {
            "projects": [{"name": "search", "cost_centre": "CC-42"}],
            "limits": [{"amount": "50", "unit": "concurrency", "window": ""}],
            "budgets": [{"amount_nano": "100.000000001", "alert_percents": "50, 100"}],
            "members": [{"user": bob.pk, "role": "owner"}],
        },
        name="acme",
        time_zone="Europe/Berlin",
        markup_bps="12.5",
        **{"policy-0-cache": "off", "policy-0-sensitivity_threshold": "0.85", "policy-0-tags": "team"},
    )
    assert answer.status_code == 302
    tenant = Tenant.objects.get()
    assert (tenant.markup_bps, Project.objects.get().tenant, Member.objects.get().user) == (1250, tenant, bob)
    budget = Budget.objects.get()
    assert (budget.tenant, budget.amount_nano, budget.alert_percents) == (tenant, 100_000_000_001, [50, 100])
    policy = Policy.objects.get()
    assert (policy.cache, policy.sensitivity_threshold, policy.tags) == ("off", 8500, ["team"])


def test_a_policy_left_alone_is_not_stored() -> None:
    submit(operator(), address("tenants_tenant_add"), name="acme")
    assert Tenant.objects.get().name == "acme"
    assert not Policy.objects.exists()


def test_saving_a_page_as_it_stands_changes_nothing() -> None:
    tenant = factories.make_tenant(markup_bps=-1)
    factories.make_budget(tenant=tenant)
    Budget.objects.update(amount_nano=1)
    Policy.objects.create(tenant=tenant, sensitivity_threshold=1)
    before = [list(model.objects.values()) for model in (Tenant, Budget, Policy)]
    client, path = operator(), address("tenants_tenant_change", tenant.pk)
    fields = shown_fields(client.get(path).content.decode())
    assert fields["budgets-0-amount_nano"] == "0.000000001"
    assert (fields["markup_bps"], fields["policy-0-sensitivity_threshold"]) == ("-0.01", "0.0001")
    assert client.post(path, fields).status_code == 302
    assert [list(model.objects.values()) for model in (Tenant, Budget, Policy)] == before


def test_how_calls_wait_and_answers_are_kept() -> None:
    tenant = factories.make_tenant()
    client, path = operator(), address("tenants_tenant_change", tenant.pk)
    said = {
        "cache": "all",
        "cache_seconds": "60",
        "semantic_model": "text-embedding-3-small",
        "semantic_threshold": "0.925",
        "prompt_cache": "auto",
        "queue_seconds": "5",
        "queue_length": "7",
    }
    assert (
        submit(client, path, **{f"policy-0-{name}": text for name, text in said.items()}).status_code == 302
    )
    policy = Policy.objects.get()
    assert (policy.cache, policy.cache_seconds, policy.prompt_cache) == ("all", 60, "auto")
    assert (policy.semantic_model, policy.semantic_threshold) == ("text-embedding-3-small", 9_250)
    assert (policy.queue_seconds, policy.queue_length) == (5, 7)
    fields = shown_fields(client.get(path).content.decode())
    assert {name: fields[f"policy-0-{name}"] for name in said} == said
    refused = submit(client, path, **{"policy-0-semantic_threshold": "1.1"})
    assert "Write 1 or less" in errors(refused)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0.0000000001", "At most 9 digits"),
        ("0", "Write 0.000000001 or more"),
        ("9007199.254740993", "Write 9007199.254740992 or less"),
        ("much", "Write a number"),
    ],
)
def test_an_amount_that_cannot_be_kept_is_refused(amount: str, said: str) -> None:
    tenant = factories.make_tenant()
    answer = submit(operator(), address("tenants_budget_add"), tenant=tenant.pk, amount_nano=amount)
    assert said in errors(answer)
    assert not Budget.objects.exists()


def test_a_budget_hangs_on_exactly_one_owner() -> None:
    client, tenant = operator(), factories.make_tenant()
    project = factories.make_project(tenant)
    path = address("tenants_budget_add")
    for owners in ({}, {"tenant": tenant.pk, "project": project.pk}):
        assert "Choose exactly one" in errors(submit(client, path, amount_nano="5", **owners))
    assert submit(client, path, amount_nano="5", project=project.pk).status_code == 302
    page = client.get(address("tenants_budget_changelist")).content.decode()
    assert "$5.00" in page
    assert "project search" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"unit": "concurrency", "window": "minute"}, "Calls at once have no window"),
        ({"unit": "tokens", "window": ""}, "Say within how long"),
        ({"unit": "tokens", "window": "minute", "burst_calls": "5"}, "A burst needs both"),
    ],
)
def test_a_limit_that_means_nothing_is_said_in_words(fields: dict[str, str], said: str) -> None:
    tenant = factories.make_tenant()
    path = address("tenants_tenant_change", tenant.pk)
    assert said in errors(submit(operator(), path, {"limits": [{"amount": "5"} | fields]}))
    assert not Limit.objects.exists()


def test_two_limits_of_a_kind_are_refused_on_the_form() -> None:
    tenant = factories.make_tenant()
    factories.make_limit(tenant=tenant)
    twice = {"amount": "5", "unit": "requests", "window": "minute"}
    answer = submit(operator(), address("tenants_tenant_change", tenant.pk), {"limits": [twice]})
    assert answer.status_code == 200
    assert "correct the duplicate" in errors(answer)


def test_a_tenant_is_blocked_before_it_is_deleted() -> None:
    client, tenant = operator(), factories.make_tenant()
    factories.make_key(tenant)
    path = address("tenants_tenant_delete", tenant.pk)
    assert client.post(path, {"post": "yes"}).status_code == 403
    Tenant.objects.update(blocked=True)
    assert client.post(path, {"post": "yes"}).status_code == 302
    assert not Tenant.objects.exists()


def test_every_page_opens_and_says_what_it_is_for_when_empty() -> None:
    client = operator()
    tables = ["tenant", "project", "apikey", "limit", "limitclass", "budget", "enduser"]
    for table in tables:
        page = client.get(address(f"tenants_{table}_changelist")).content.decode()
        assert "Nothing here yet" in page
        assert client.get(address(f"tenants_{table}_add")).status_code == 200
    tenant = factories.make_tenant()
    rows = [
        tenant,
        factories.make_project(tenant),
        factories.make_end_user(tenant),
        LimitClass.objects.create(name="standard"),
    ]
    for one in rows:
        name = f"tenants_{one._meta.model_name}"
        assert str(one) in client.get(address(f"{name}_changelist")).content.decode()
        assert submit(client, address(f"{name}_change", one.pk)).status_code == 302


def test_forgetting_an_end_user_leaves_the_tenant() -> None:
    end_user = factories.make_end_user(factories.make_tenant())
    path = address("tenants_enduser_delete", end_user.pk)
    assert operator().post(path, {"post": "yes"}).status_code == 302
    assert not EndUser.objects.exists()
    assert Tenant.objects.exists()


def test_people_and_groups_have_pages() -> None:
    client = operator()
    assert submit(client, address("auth_group_add"), name="operators").status_code == 302
    people = {"username": "bob", "password1": "a-long-word-7", "password2": "a-long-word-7"}
    answer = submit(client, address("auth_user_add"), **people)
    assert answer.status_code == 302
    assert submit(client, answer.url, email="bob@example.org").status_code == 302
    assert "bob" in client.get(address("auth_user_changelist")).content.decode()
    assert "LLM gateway" in client.get(address("index")).content.decode()
