"""People who are signed in: CSRF, origins, Django's permissions, and pages to click through."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders

from api.manage.roles import TABLE
from tenants.models import Tenant
from tests import factories
from tests.api.manage.hands import ROOT, Hand, member, signed_in
from tests.api.manage.test_roles import rows_of

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


def test_a_session_writes_with_its_csrf_token_only(acme: Tenant) -> None:
    alice = factories.make_user("alice", is_staff=True, is_superuser=True)
    hand = signed_in(alice, enforce_csrf_checks=True)
    assert "CSRF" in hand.refused("PATCH", "tenants/acme", {"title": "Acme"}, status=403)["message"]
    hand.client.get(f"{ROOT}/tenants", headers={"accept": "text/html"})
    token = hand.client.cookies["csrftoken"].value
    told = hand.ask("PATCH", "tenants/acme", {"title": "Acme"}, x_csrftoken=token)
    assert (told.status_code, told.json()["title"]) == (200, "Acme")


def test_a_page_of_another_site_is_refused(acme: Tenant) -> None:
    alice = member("alice", acme)
    for origin in ("https://evil.example", "null"):
        alice.refused("GET", "tenants", status=403, origin=origin)
    assert alice.ask("GET", "tenants", origin="http://testserver").status_code == 200


def test_a_person_needs_the_permissions_that_the_admin_asks_for(acme: Tenant) -> None:
    bob = factories.make_user("bob", is_staff=True)
    factories.make_member(acme, bob)
    hand = signed_in(bob)
    hand.refused("GET", "projects", status=403)
    bob.user_permissions.set(Permission.objects.filter(codename="view_project"))
    assert hand.get("projects")["data"] == []
    hand.refused("POST", "projects", {"tenant": "acme", "name": "search"}, status=403)
    bob.user_permissions.add(Permission.objects.get(codename="add_project"))
    assert hand.post("projects", tenant="acme", name="search")["name"] == "search"
    hand.refused("PATCH", "projects/acme/search", {"cost_centre": "CC-1"}, status=403)


def test_who_may_not_sign_in_to_the_admin_manages_nothing(acme: Tenant) -> None:
    charlie = factories.make_user("charlie")
    factories.make_member(acme, charlie)
    charlie.user_permissions.set(Permission.objects.all())
    signed_in(charlie).refused("GET", "tenants", status=403)
    outsider = factories.make_user("outsider", is_staff=True)
    outsider.user_permissions.set(Permission.objects.all())
    for noun in TABLE:
        signed_in(outsider).refused("GET", noun, status=403)
    gone = factories.make_user("gone", is_staff=True, is_superuser=True)
    hand = signed_in(gone)
    gone.is_active = False
    gone.save()
    hand.refused("GET", "tenants", status=401)


def test_a_key_counts_before_a_session(acme: Tenant) -> None:
    hand = signed_in(factories.make_user("alice", is_staff=True, is_superuser=True))
    hand.refused("GET", "tenants", status=401, authorization="Bearer made-up")
    _, secret = factories.make_key(None, "ops", roles=["finance"], all_tenants=True)
    hand.refused("GET", "models", status=403, authorization=f"Bearer {secret}")


def test_every_page_is_shown_with_nothing_from_elsewhere(acme: Tenant) -> None:
    rows = rows_of(acme)
    hand = signed_in(factories.make_user("alice", is_staff=True, is_superuser=True))
    for path in ("", *TABLE, *(f"{noun}/{row.pk}" for noun, row in rows.items())):
        answer = hand.ask("GET", path, accept="text/html,application/xhtml+xml,*/*;q=0.8")
        page = answer.content.decode()
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"([^\"]+)\"", page)
        assert loaded
        for address in loaded:
            assert address.startswith("/static/rest_framework/"), address
            assert finders.find(address.removeprefix("/static/")), address
    assert hand.ask("GET", "tenants?format=json", accept="text/html").json()["next"] is None
    assert "secret" not in hand.ask("GET", f"provider-keys/{rows['provider-keys'].pk}").json()


def test_a_persons_mistake_is_shown_on_the_page_they_asked_from(acme: Tenant) -> None:
    hand = signed_in(factories.make_user("alice", is_staff=True, is_superuser=True))
    answer = hand.ask("POST", "projects", {"tenant": "acme", "nmae": "search"}, accept="text/html")
    assert (answer.status_code, answer["Content-Type"]) == (422, "text/html; charset=utf-8")
    assert "There is no such field to set." in answer.content.decode()


def test_the_root_tells_each_what_they_may_do(acme: Tenant) -> None:
    told = member("bob", acme, "finance").get("")["data"]
    assert told["budgets"] == {"address": f"{ROOT}/budgets", "may": ["read"]}
    assert "keys" not in told
    assert (
        Hand(signed_in(factories.make_user("alice", is_staff=True, is_superuser=True)).client)
        .get("")["data"]
        .keys()
        == TABLE.keys()
    )
