"""Roles and priorities of keys in the admin: nobody gets by a key what they may not do themselves."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tenants.models import ApiKey, Tenant
from tests import factories
from tests.support.pages import address, errors, operator, submit

pytestmark = pytest.mark.django_db
ADD = "tenants_apikey_add"


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


def member(name: str, tenant: Tenant, role: str) -> Client:
    """Somebody of the tenant with every permission that Django knows."""
    user = factories.make_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    factories.make_member(tenant, user, role)
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("person", ["operator", "owner"])
def test_operators_and_owners_give_every_role_of_a_tenant(acme: Tenant, person: str) -> None:
    client = operator() if person == "operator" else member("alice", acme, person)
    answer = submit(
        client, address(ADD), tenant=acme.pk, name="app", roles=["owner", "viewer"], priority="-5"
    )
    assert answer.status_code == 200
    key = ApiKey.objects.get()
    assert (key.roles, key.priority) == (["owner", "viewer"], -5)
    path = address("tenants_apikey_change", key.pk)
    assert submit(client, path, roles=["finance"], priority="7").status_code == 302
    key.refresh_from_db()
    assert (key.roles, key.priority) == (["finance"], 7)


def test_a_role_is_for_the_kind_of_key_that_it_is_meant_for(acme: Tenant) -> None:
    client = operator()
    told = errors(submit(client, address(ADD), tenant=acme.pk, name="app", roles=["operator"]))
    assert "operator is for platform keys" in told
    assert "owner is for keys of a tenant" in errors(
        submit(client, address(ADD), name="ops", roles=["owner"])
    )
    assert not ApiKey.objects.exists()


def test_a_developer_gives_what_developers_have(acme: Tenant) -> None:
    bob = member("bob", acme, "developer")
    for roles in (["owner"], ["developer", "finance"]):
        answer = submit(bob, address(ADD), tenant=acme.pk, name="app", roles=roles)
        assert "the roles that you have yourself" in errors(answer)
    assert not ApiKey.objects.exists()
    submit(bob, address(ADD), tenant=acme.pk, name="app", roles=["developer"])
    key = ApiKey.objects.get()
    answer = submit(bob, address("tenants_apikey_change", key.pk), roles=["owner"])
    assert "the roles that you have yourself" in errors(answer)
    key.refresh_from_db()
    assert key.roles == ["developer"]


def test_an_owners_key_is_no_way_up_for_a_developer(acme: Tenant) -> None:
    bob = member("bob", acme, "developer")
    key, _ = factories.make_key(acme, roles=["owner"])
    change = address("tenants_apikey_change", key.pk)
    assert bob.get(change).status_code == 200
    assert bob.post(change, {"name": "mine"}).status_code == 403
    assert bob.post(address("tenants_apikey_rotate", key.pk), {"grace": "0"}).status_code == 403
    assert ApiKey.objects.get().name == "app"
    assert bob.post(address("tenants_apikey_revoke", key.pk)).status_code == 302
    assert ApiKey.objects.get().blocked


def test_a_role_in_another_tenant_gives_nothing_here(acme: Tenant) -> None:
    charlie = member("charlie", factories.make_tenant("globex"), "owner")
    factories.make_member(acme, User.objects.get(username="charlie"), "viewer")
    answer = submit(charlie, address(ADD), tenant=acme.pk, name="app", roles=["owner"])
    assert "the roles that you have yourself" in errors(answer)
    assert not ApiKey.objects.exists()
