"""The platform key that the environment names is there after the first start, whoever starts at once."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from gateway_project import first_boot as first_boot_module
from gateway_project.first_boot import first_boot
from tenants.keys import key_issue
from tenants.models import ApiKey

TOKEN = "made-up-platform-key-0001"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def named(settings: Settings) -> None:
    settings.GATEWAY_ADMIN_TOKEN = TOKEN


def keys() -> list[tuple[str, list[str], bool]]:
    return [(key.name, key.roles, key.all_tenants) for key in ApiKey.objects.filter(tenant=None)]


def test_the_key_is_made_once() -> None:
    first_boot()
    first_boot()
    assert keys() == [("admin", ["operator"], True)]


def test_of_two_processes_that_start_at_once_one_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def issue_after_another(**key: Any) -> None:
        key_issue(**key)
        key_issue(**key)

    monkeypatch.setattr(first_boot_module, "key_issue", issue_after_another)
    first_boot()
    assert keys() == [("admin", ["operator"], True)]


def test_another_key_of_that_name_is_not_passed_over() -> None:
    key_issue(tenant=None, name="admin", secret="made-up-platform-key-0002", roles=["operator"])
    with pytest.raises(ValidationError):
        first_boot()
