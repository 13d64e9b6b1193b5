"""The command prints a key once, and it opens the door."""

import pytest
from django.core.management.base import CommandError

from tenants.models import ApiKey
from tenants.secrets import key_digest, peppers
from tests import factories
from tests.support.configuration import printed

pytestmark = pytest.mark.django_db


def issued(*arguments: str) -> tuple[ApiKey, str]:
    secret = printed("key_issue", *arguments).strip()
    key = ApiKey.objects.get(grace_until=None)
    assert key.digest == key_digest(key=secret, pepper=peppers().keys[key.pepper])
    return key, secret


def test_a_tenants_key() -> None:
    project = factories.make_project(factories.make_tenant())
    key, _ = issued(
        "acme",
        "app",
        "--project",
        "search",
        "--model",
        "gpt-4o-mini",
        "--model",
        "openai/*",
        "--expires",
        "2031-01-01T00:00:00Z",
    )
    assert (key.name, key.tenant, key.project) == ("app", project.tenant, project)
    assert key.models == ["gpt-4o-mini", "openai/*"]
    assert key.expires_at is not None
    assert key.expires_at.year == 2031


def test_a_tenants_key_with_a_role() -> None:
    factories.make_tenant()
    assert issued("acme", "app", "--role", "owner")[0].roles == ["owner"]


def test_a_platform_key() -> None:
    tenant = factories.make_tenant()
    key, _ = issued("ops", "--platform", "--role", "operator", "--role", "finance", "--for-tenant", "acme")
    assert (key.tenant, key.roles, key.all_tenants) == (None, ["operator", "finance"], False)
    assert list(key.granted_tenants.all()) == [tenant]


def test_a_platform_key_for_all() -> None:
    assert issued("ops", "--platform", "--all-tenants")[0].all_tenants


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("acme",), "Write TENANT NAME"),
        (("acme", "app", "--platform"), "Write TENANT NAME"),
        (("gone", "app"), "There is no tenant gone"),
        (("acme", "app", "--project", "gone"), "There is no project gone in acme"),
        (("ops", "--platform", "--project", "search"), "There is no project search"),
        (("acme", "app", "--expires", "soon"), "is not a moment"),
        (("acme", "app", "--expires", "2031-13-01T00:00:00Z"), "is not a moment"),
        (("acme", "app", "--expires", "2031-01-01T00:00:00"), "with its zone"),
        (("acme", "app", "--role", "operator"), "for platform keys"),
        (("ops", "--platform", "--role", "owner"), "for keys of a tenant"),
        (("acme", "app", "--for-tenant", "acme"), "Only platform keys"),
    ],
)
def test_what_cannot_be_issued_is_refused(arguments: tuple[str, ...], words: str) -> None:
    factories.make_tenant()
    with pytest.raises(CommandError, match=words):
        printed("key_issue", *arguments)
    assert not ApiKey.objects.exists()


def test_a_name_is_given_once() -> None:
    factories.make_tenant()
    issued("acme", "app")
    with pytest.raises(CommandError, match="There is a live key app already"):
        printed("key_issue", "acme", "app")
