"""Alice owns acme, Bob is of its team, Charlie belongs to globex: nobody sees another tenant's rows."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.test import Client

from providers.models import Price, Provider
from tenants.models import ApiKey, Budget, EndUser, Limit, LimitClass, Member, Project, Tenant
from tenants.scoping import TenantScoped
from tests import factories
from tests.support.pages import address, errors, submit
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db


def staff(name: str, tenant: Tenant, role: str = "owner") -> Client:
    """A browser of a member who has every permission that Django knows."""
    user = factories.make_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    factories.make_member(tenant, user, role)
    client = Client()
    client.force_login(user)
    return client


def rows_of(tenant: Tenant) -> Iterator[Model]:
    """A row of every kind that belongs to a tenant."""
    yield tenant
    yield (project := factories.make_project(tenant, f"{tenant}-project"))
    yield (key := factories.make_key(tenant, f"{tenant}-key")[0])
    yield (end_user := factories.make_end_user(tenant, f"{tenant}-end-user"))
    for owner in ({"tenant": tenant}, {"project": project}, {"key": key}, {"end_user": end_user}):
        yield factories.make_budget(**owner)
        yield factories.make_limit(**owner)
    yield factories.make_provider(f"{tenant}-provider", tenant=tenant)
    yield factories.make_price(tenant=tenant)
    yield factories.make_entry(tenant)


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


@pytest.fixture
def globex() -> Tenant:
    return factories.make_tenant("globex")


def name_of(row: Model) -> str:
    return f"{row._meta.app_label}_{row._meta.model_name}"


def test_every_table_of_ours_is_scoped() -> None:
    unscoped = [
        model
        for model, table in admin.site._registry.items()
        if not isinstance(table, TenantScoped)
        or not all(issubclass(inline, TenantScoped) for inline in table.inlines)
    ]
    assert unscoped == []


def test_members_see_their_tenant_and_an_outsider_nothing_of_it(acme: Tenant, globex: Tenant) -> None:
    rows = list(rows_of(acme))
    alice, bob = staff("alice", acme), staff("bob", acme, "developer")
    charlie = staff("charlie", globex)
    for row in rows:
        listed, page = address(f"{name_of(row)}_changelist"), address(f"{name_of(row)}_change", row.pk)
        for member in (alice, bob):
            assert page in member.get(listed).content.decode()
            assert member.get(page).status_code == 200
        assert page not in charlie.get(listed).content.decode()
        assert charlie.get(page).status_code == 302
        assert charlie.post(page, {"name": "mine"}).status_code in {302, 403}


def test_an_outsider_cannot_delete_rotate_or_revoke(acme: Tenant, globex: Tenant) -> None:
    rows, charlie = list(rows_of(acme)), staff("charlie", globex)
    for row in rows:
        answer = charlie.post(address(f"{name_of(row)}_delete", row.pk), {"post": "yes"})
        assert answer.status_code in {302, 403}
        assert type(row)._default_manager.filter(pk=row.pk).exists()
        bulk = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
        charlie.post(address(f"{name_of(row)}_changelist"), bulk)
        assert type(row)._default_manager.filter(pk=row.pk).exists()
    key = ApiKey.objects.get()
    for deed in ("rotate", "revoke"):
        assert charlie.post(address(f"tenants_apikey_{deed}", key.pk), {"grace": "0"}).status_code == 403
    key.refresh_from_db()
    assert (key.blocked, key.grace_until) == (False, None)


def test_choices_are_of_the_members_own_tenants(acme: Tenant, globex: Tenant) -> None:
    list(rows_of(acme)), list(rows_of(globex))
    charlie = staff("charlie", globex)
    for model, table, field in (
        ("apikey", "tenants", "tenant"),
        ("apikey", "tenants", "project"),
        ("budget", "tenants", "key"),
        ("budget", "tenants", "end_user"),
        ("member", "tenants", "user"),
        ("ledgerentry", "usage", "tenant"),
    ):
        query = {"app_label": table, "model_name": model, "field_name": field, "term": ""}
        answer = charlie.get(address("autocomplete"), query)
        assert "acme" not in answer.content.decode()


def test_another_tenants_row_is_no_choice(acme: Tenant, globex: Tenant) -> None:
    project = factories.make_project(acme)
    charlie = staff("charlie", globex)
    for path, fields in (
        ("tenants_project_add", {"name": "mine", "tenant": acme.pk}),
        ("tenants_apikey_add", {"name": "mine", "tenant": acme.pk}),
        ("tenants_apikey_add", {"name": "mine", "tenant": globex.pk, "project": project.pk}),
        ("tenants_budget_add", {"amount_nano": "5", "tenant": acme.pk}),
        ("tenants_limit_add", {"amount": "5", "unit": "tokens", "window": "day", "project": project.pk}),
    ):
        assert "not one of the available choices" in errors(submit(charlie, address(path), **fields))
    assert list(Project.objects.all()) == [project]
    assert not any(model.objects.exists() for model in (ApiKey, Budget, Limit))


def test_a_member_makes_no_platform_key_and_sees_none(acme: Tenant) -> None:
    platform, _ = factories.make_key(None, "ops", all_tenants=True)
    alice = staff("alice", acme)
    answer = submit(alice, address("tenants_apikey_add"), name="mine", all_tenants="on", roles=["operator"])
    assert "required" in errors(answer)
    assert list(ApiKey.objects.all()) == [platform]
    assert alice.get(address("tenants_apikey_change", platform.pk)).status_code == 302
    answer = submit(alice, address("tenants_apikey_add"), name="mine", tenant=acme.pk, all_tenants="on")
    assert answer.status_code == 200
    assert not ApiKey.objects.get(name="mine").all_tenants


def test_what_a_tenant_pays_is_for_operators_to_say(acme: Tenant) -> None:
    alice = staff("alice", acme)
    Tenant.objects.update(blocked=True, markup_bps=1000)
    path = address("tenants_tenant_change", acme.pk)
    assert submit(alice, path, title="Acme", markup_bps="-100", name="mine").status_code == 302
    acme.refresh_from_db()
    assert (acme.title, acme.name, acme.markup_bps, acme.blocked) == ("Acme", "acme", 1000, True)
    for page in (
        "tenants_tenant_add",
        "providers_price_add",
        "providers_provider_add",
        "providers_model_add",
    ):
        assert alice.get(address(page)).status_code == 403
    assert alice.post(address("tenants_tenant_delete", acme.pk), {"post": "yes"}).status_code == 403
    assert not Price.objects.exists()
    assert not Provider.objects.exists()


def test_a_member_raises_nobody_to_operator(acme: Tenant) -> None:
    alice = staff("alice", acme)
    user = User.objects.get(username="alice")
    change = address("auth_user_change", user.pk)
    assert alice.get(change).status_code == 200
    assert alice.post(change, {"username": "alice", "is_superuser": "on"}).status_code == 403
    assert alice.get(address("auth_group_add")).status_code == 403
    assert not User.objects.filter(is_superuser=True).exists()
    assert not Group.objects.exists()


def test_classes_of_limits_are_offered_to_all_and_changed_by_operators(acme: Tenant) -> None:
    standard = LimitClass.objects.create(name="standard")
    end_user = factories.make_end_user(acme)
    alice = staff("alice", acme)
    page = address("tenants_enduser_change", end_user.pk)
    assert submit(alice, page, limit_class=standard.pk).status_code == 302
    assert EndUser.objects.get().limit_class == standard
    assert alice.post(address("tenants_limitclass_change", standard.pk), {"name": "mine"}).status_code == 403
    fields = {"amount": "5", "unit": "tokens", "window": "day", "limit_class": standard.pk}
    assert "not one of the available choices" in errors(submit(alice, address("tenants_limit_add"), **fields))


def test_a_member_of_two_tenants_sees_both_once(acme: Tenant, globex: Tenant) -> None:
    client = staff("bob", acme)
    bob = User.objects.get(username="bob")
    factories.make_member(globex, bob, "viewer")
    page = client.get(address("auth_user_changelist")).content.decode()
    assert page.count(address("auth_user_change", bob.pk)) == 1
    assert client.get(address("tenants_tenant_change", globex.pk)).status_code == 200
    Member.objects.filter(tenant=globex).delete()
    assert client.get(address("tenants_tenant_change", globex.pk)).status_code == 302


def test_calls_in_flight_and_the_ledger_of_others_stay_hidden(acme: Tenant, globex: Tenant) -> None:
    entry = factories.make_entry(acme, request_id="req-secret")
    charlie = staff("charlie", globex)
    found = charlie.get(address("usage_ledgerentry_changelist"), {"q": "req-secret"})
    assert str(entry.pk) not in found.content.decode()
    assert "Nothing" in charlie.get(address("usage_hold_changelist")).content.decode()
    assert LedgerEntry.objects.count() == 1
