"""Which parts are served together, and what is refused with its reason."""

from typing import Any, Protocol

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from gateway_project.database import database_settings
from tests.support.configuration import printed


class Naming(Protocol):
    """Names servers in the settings."""

    def __call__(self, *, database: str = "", redis: str = "") -> None:
        """Name these, and no others."""


@pytest.fixture
def named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Naming:
    def name(*, database: str = "", redis: str = "") -> None:
        config = database_settings(url=database, home=settings.GATEWAY_HOME, synchronous="NORMAL")
        monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", config["ENGINE"])
        settings.REDIS_URL = redis

    return name


def refusal(**options: Any) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("serve", **options)
    return str(refused.value)


def test_redis_without_postgresql_is_refused_with_what_to_set(named: Naming) -> None:
    named(redis="redis://redis.internal:6379/0")
    said = refusal()
    assert "DATABASE_URL=postgresql://" in said
    assert "leave REDIS_URL empty" in said


def test_postgresql_without_redis_is_refused_with_what_to_set(named: Naming) -> None:
    named(database="postgresql://db.internal/gateway")
    said = refusal()
    assert "REDIS_URL=redis://" in said
    assert "leave DATABASE_URL empty" in said


def test_embedded_books_have_one_process_and_no_drain(named: Naming) -> None:
    named()
    assert "one web process" in refusal(workers=2)
    assert "drain themselves" in refusal(only="drain")


@pytest.mark.parametrize(("options", "said"), [({"only": "webs"}, "webs"), ({"workers": 0}, "at least 1")])
def test_nonsense_is_refused(named: Naming, options: dict[str, Any], said: str) -> None:
    named()
    assert said in refusal(**options)


@pytest.mark.django_db
def test_other_commands_work_while_only_one_server_is_named(settings: Settings) -> None:
    settings.REDIS_URL = "redis://redis.internal:6379/0"
    assert "No migrations to apply" in printed("migrate")
