"""Keys in the admin: shown once, rotated with grace, revoked after a question."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tenants.keys import key_revoke
from tenants.models import ApiKey, Limit
from tenants.secrets import key_digest, peppers
from tests import factories
from tests.support.pages import address, errors, operator, shown_fields, submit

pytestmark = pytest.mark.django_db
ADD = "tenants_apikey_add"


def plain_key(answer: Any) -> str:
    assert answer.status_code == 200
    secret: str = answer.context["secret"]
    assert answer.content.decode().count(secret) == 1
    return secret


def change_page(client: Client, key: ApiKey) -> str:
    return client.get(address("tenants_apikey_change", key.pk)).content.decode()


def test_a_new_key_is_shown_once_and_kept_nowhere() -> None:
    client, tenant = operator(), factories.make_tenant()
    answer = submit(client, address(ADD), tenant=tenant.pk, name="app", models="gpt-4o-mini\nopenai/*\n")
    secret = plain_key(answer)
    key = ApiKey.objects.get()
    ring = peppers()
    assert key.digest == key_digest(key=secret, pepper=ring.keys[ring.newest])
    assert (key.tenant, key.models) == (tenant, ["gpt-4o-mini", "openai/*"])
    assert "no-store" in answer["Cache-Control"]
    pages = [address("tenants_apikey_changelist"), address("tenants_apikey_change", key.pk), address("index")]
    assert not any(secret in client.get(page).content.decode() for page in pages)
    kept = [session.get_decoded() for session in Session.objects.all()], list(LogEntry.objects.values())
    assert secret not in str(kept)


def test_reloading_the_page_neither_shows_nor_makes_a_key_again() -> None:
    client, tenant = operator(), factories.make_tenant()
    fields = shown_fields(client.get(address(ADD)).content.decode()) | {"tenant": tenant.pk, "name": "app"}
    secret = plain_key(client.post(address(ADD), fields))
    again = client.post(address(ADD), fields)
    assert "A live key has this name already" in errors(again)
    assert secret not in again.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_key_comes_with_its_limits_and_grants() -> None:
    client, tenant = operator(), factories.make_tenant()
    limits = [{"amount": "60", "unit": "requests", "window": "minute"}]
    plain_key(submit(client, address(ADD), {"limits": limits}, tenant=tenant.pk, name="app"))
    assert Limit.objects.get().key == ApiKey.objects.get()
    plain_key(submit(client, address(ADD), name="ops", roles=["operator"], granted_tenants=[tenant.pk]))
    platform = ApiKey.objects.get(name="ops")
    assert (platform.tenant, platform.roles, list(platform.granted_tenants.all())) == (
        None,
        ["operator"],
        [tenant],
    )


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("networks", "10.0.0.0/99", "is not a network"),
        ("roles", ["operator"], "platform"),
        ("all_tenants", "on", "platform"),
    ],
)
def test_an_odd_choice_is_said_on_the_form(field: str, text: object, said: str) -> None:
    changes = {"tenant": factories.make_tenant().pk, "name": "app", field: text}
    assert said in errors(submit(operator(), address(ADD), **changes))
    assert not ApiKey.objects.exists()


def test_a_key_of_another_tenants_project_is_refused() -> None:
    project = factories.make_project(factories.make_tenant("globex"))
    tenant = factories.make_tenant()
    answer = submit(operator(), address(ADD), tenant=tenant.pk, name="app", project=project.pk)
    assert "another tenant" in errors(answer)


def test_a_key_stays_with_its_tenant_and_its_secret() -> None:
    client, tenant = operator(), factories.make_tenant()
    key, _ = factories.make_key(tenant)
    other = factories.make_tenant("globex")
    path = address("tenants_apikey_change", key.pk)
    submit(client, path, name="web", tenant=other.pk, digest="0" * 64, blocked="on")
    changed = ApiKey.objects.get()
    assert (changed.name, changed.tenant, changed.digest, changed.blocked) == (
        "web",
        tenant,
        key.digest,
        False,
    )


def test_rotating_asks_for_the_grace_period_and_shows_the_new_key_once() -> None:
    client = operator()
    old, _ = factories.make_key(factories.make_tenant())
    path = address("tenants_apikey_rotate", old.pk)
    assert "The old key is good for the grace period" in client.get(path).content.decode()
    assert ApiKey.objects.count() == 1
    secret = plain_key(submit(client, path, grace="3600"))
    old.refresh_from_db()
    assert old.grace_until is not None
    assert timedelta(minutes=59) < old.grace_until - timezone.now() <= timedelta(hours=1)
    new = ApiKey.objects.exclude(pk=old.pk).get()
    assert (new.rotated_from, new.last_four) == (old, secret[-4:])
    assert secret not in change_page(client, new)
    assert secret not in str(list(LogEntry.objects.values()))


def test_a_key_is_rotated_once() -> None:
    client = operator()
    old, _ = factories.make_key(factories.make_tenant())
    path = address("tenants_apikey_rotate", old.pk)
    submit(client, path)
    assert client.post(path, {"grace": "0"}).status_code == 403
    assert ApiKey.objects.count() == 2


def test_revoking_first_says_what_follows() -> None:
    client = operator()
    key, _ = factories.make_key(factories.make_tenant())
    path = address("tenants_apikey_revoke", key.pk)
    question = client.get(path).content.decode()
    assert "refused within a second" in question
    assert "cannot be undone" in question
    assert not ApiKey.objects.get().blocked
    assert client.post(path).status_code == 302
    assert ApiKey.objects.get().blocked
    assert client.post(path).status_code == 403


def test_a_revoked_key_is_history() -> None:
    client = operator()
    key, _ = factories.make_key(factories.make_tenant())
    delete = address("tenants_apikey_delete", key.pk)
    assert client.post(delete, {"post": "yes"}).status_code == 403
    key_revoke(key=key)
    assert client.post(address("tenants_apikey_change", key.pk), {"name": "web"}).status_code == 403
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not ApiKey.objects.exists()


def test_a_list_tells_live_keys_from_others() -> None:
    tenant = factories.make_tenant()
    factories.make_key(tenant, "late", expires_at=timezone.now() - timedelta(days=1))
    factories.make_key(tenant, "live")
    key_revoke(key=factories.make_key(tenant, "gone")[0])
    page = operator().get(address("tenants_apikey_changelist")).content.decode()
    assert all(state in page for state in ("expired", "live", "revoked"))
