"""Deployments in the admin: their breakers are set by hand, after a question that says what follows."""

import pytest
from django.contrib.admin.models import LogEntry

from gateway.signs import Sign
from providers.health import health_tell
from providers.models import Deployment, Model
from tests import factories
from tests.support.pages import address, operator
from tests.tenants.test_admin_scoping import staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def deployment() -> Deployment:
    row = factories.make_deployment(factories.make_model(), factories.make_provider())
    opened = row.created_at.timestamp()
    health_tell(Sign(key=(row.pk, "m"), is_open=True, rest=60.0, opened_at=opened, detail="provider_timeout"))
    return row


def test_a_page_tells_how_it_is_and_why(deployment: Deployment) -> None:
    client = operator()
    listed = client.get(address("providers_deployment_changelist")).content.decode()
    page = client.get(address("providers_deployment_change", deployment.pk)).content.decode()
    assert str(deployment.upstream_model) in listed
    assert "provider_timeout" in page
    assert "unavailable" in page


@pytest.mark.parametrize(
    ("deed", "consequence", "held", "closed"),
    [
        ("hold_open", "No call goes there any more", True, False),
        ("close", "Failures until now are forgotten", False, True),
        ("leave", "stays open to the end of its rest", False, False),
    ],
)
def test_a_deed_first_says_what_follows(
    deed: str, consequence: str, held: bool, closed: bool, deployment: Deployment
) -> None:
    client, path = operator(), address(f"providers_deployment_{deed}", deployment.pk)
    Deployment.objects.update(held_open=not held)
    assert consequence in client.get(path).content.decode()
    assert Deployment.objects.get().held_open is not held
    assert LogEntry.objects.count() == 0
    assert client.post(path).status_code == 302
    row = Deployment.objects.get()
    assert (row.held_open, row.breaker_closed_at is not None) == (held, closed)
    assert row.health.get().status == ("closed" if closed else "open")
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("deed", ["hold_open", "close", "leave"])
def test_members_set_no_breaker(deed: str, deployment: Deployment) -> None:
    path = address(f"providers_deployment_{deed}", deployment.pk)
    answer = staff("charlie", factories.make_tenant()).post(path)
    assert answer.status_code == 403
    assert Deployment.objects.get() == deployment
    assert not Deployment.objects.get().held_open
    assert Deployment.objects.get().breaker_closed_at is None


def test_a_model_still_goes_with_its_deployments(deployment: Deployment) -> None:
    path = address("providers_model_delete", deployment.model.pk)
    assert operator().post(path, {"post": "yes"}).status_code == 302
    assert not Model.objects.exists()
