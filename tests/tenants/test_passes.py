"""Passes: the gateway's own calls for a tenant, for a minute, and for nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core import signing

from gateway.call import Origin
from gateway.errors import Forbidden, Unauthenticated
from gateway.memory import SystemClock
from tenants.directory import DatabaseDirectory
from tenants.passes import LIVES_SECONDS, pass_issue, pass_read
from tenants.principals import key_recognise, known_load
from tests import factories

BY = "try (owner)"

pytestmark = pytest.mark.django_db


def known(credential: str, tenant: str = "", project: str = "") -> object:
    return known_load(credential=credential, tenant_name=tenant, project_name=project)


def test_a_pass_is_its_tenant_without_a_key() -> None:
    tenant = factories.make_tenant()
    factories.make_limit(tenant=tenant)
    found = known_load(
        credential=pass_issue(tenant=tenant.pk, by=BY), tenant_name="acme", project_name=""
    ).principal
    assert (found.tenant_id, found.key_id, found.key, found.roles) == (tenant.pk, None, BY, ())
    assert [account.scope for account in found.accounts] == ["tenant"]


def test_a_pass_may_name_a_project_of_its_tenant_and_no_other_tenant() -> None:
    tenant = factories.make_tenant()
    factories.make_project(tenant)
    factories.make_tenant("other")
    credential = pass_issue(tenant=tenant.pk, by=BY)
    loaded = known_load(credential=credential, tenant_name="", project_name="search")
    assert loaded.principal.project == "search"
    with pytest.raises(Forbidden):
        known(credential, tenant="other")
    with pytest.raises(Forbidden):
        known(credential, project="unknown")


def test_what_was_blocked_or_is_gone_is_not_called_for() -> None:
    tenant = factories.make_tenant(blocked=True)
    with pytest.raises(Forbidden):
        known(pass_issue(tenant=tenant.pk, by=BY))
    credential = pass_issue(tenant=tenant.pk, by=BY)
    tenant.delete()
    with pytest.raises(Forbidden):
        known(credential)


@pytest.mark.parametrize("change", ["forged", "cut", "purpose"])
def test_what_was_not_signed_here_is_nobody(change: str) -> None:
    tenant = factories.make_tenant()
    credential = pass_issue(tenant=tenant.pk, by=BY)
    told = {"tenant": tenant.pk.hex, "by": BY, "until": 2**33}
    wrong = {
        "forged": "pass:" + signing.dumps(told, key="made up", salt="tenants.passes"),
        "cut": credential[:-1],
        "purpose": "pass:" + signing.dumps(told, salt="something else"),
    }
    with pytest.raises(Unauthenticated):
        known(wrong[change])


def test_a_pass_lives_a_minute() -> None:
    until = pass_read(pass_issue(tenant=factories.make_tenant().pk, by=BY)).until
    left = until - datetime.now(UTC)
    assert timedelta(seconds=LIVES_SECONDS - 5) < left <= timedelta(seconds=LIVES_SECONDS)


@pytest.mark.django_db(transaction=True)
async def test_a_pass_whose_minute_is_over_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = await sync_to_async(factories.make_tenant)()
    now = datetime.now(UTC).timestamp()
    with monkeypatch.context() as earlier:
        earlier.setattr("time.time", lambda: now - LIVES_SECONDS - 1)
        old = pass_issue(tenant=tenant.pk, by=BY)
    directory = DatabaseDirectory(clock=SystemClock(), revision=lambda: 1)
    with pytest.raises(Unauthenticated):
        await directory.identify(Origin(credential=old))
    found = await directory.identify(Origin(credential=pass_issue(tenant=tenant.pk, by=BY)))
    assert found.tenant == "acme"


def test_a_pass_manages_nothing() -> None:
    with pytest.raises(Unauthenticated):
        key_recognise(credential=pass_issue(tenant=factories.make_tenant().pk, by=BY), address="127.0.0.1")
