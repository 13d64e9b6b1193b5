"""Settings as a process finds them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

ROOT = Path(settings.BASE_DIR)


SHOWN = "from gateway_project import settings as s; print(s.DEBUG, s.ALLOWED_HOSTS, s.PORT, s.CACHES)"


def _started(home: Path, *, program: str = SHOWN, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a process says of its settings when the environment holds nothing but this."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "GATEWAY_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_debugging_is_off_and_only_loopback_is_served(tmp_path: Path) -> None:
    started = _started(tmp_path)
    assert started.stdout.startswith("False ['localhost', '127.0.0.1', '[::1]'] 8000")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key_ring", "peppers", "secret_key"]


def test_an_address_to_listen_on_is_an_address_to_serve(tmp_path: Path) -> None:
    assert "'10.0.0.7'" in _started(tmp_path, HOST="10.0.0.7").stdout
    assert "['gateway.example']" in _started(tmp_path, GATEWAY_ALLOWED_HOSTS="gateway.example").stdout


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "True deterministic 3600 ''"),
        ({"CACHE_ENABLED": "true", "CACHE_DEFAULT_TTL": "60"}, "True all 60 ''"),
        ({"CACHE_ENABLED": "false", "CACHE_DEFAULT_TTL": "60", "CACHE_TTL": "5"}, "False deterministic 5 ''"),
        ({"REDIS_URL": "redis://books"}, "True deterministic 3600 'redis://books'"),
        (
            {"REDIS_URL": "redis://books", "REDIS_CACHE_URL": "redis://kept"},
            "True deterministic 3600 'redis://kept'",
        ),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, dict) else "",
)
def test_what_is_kept_where_nobody_decided(
    tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    program = (
        "from gateway_project import settings as s; d = s.GATEWAY_POLICY_DEFAULTS;"
        "print(s.GATEWAY_CACHE_ON, d['cache'], d['cache_seconds'], repr(s.GATEWAY_CACHE_URL))"
    )
    assert _started(tmp_path, program=program, **environment).stdout.strip() == expected


def test_redis_holds_the_cache_where_one_is_named_for_it(tmp_path: Path) -> None:
    assert "LocMemCache" in _started(tmp_path).stdout
    assert "LocMemCache" in _started(tmp_path, REDIS_URL="redis://localhost:6379/0").stdout
    assert "django_redis" in _started(tmp_path, REDIS_CACHE_URL="redis://localhost:6379/1").stdout


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "GATEWAY_DEBUG",
        "GATEWAY_SQLITE_SYNCHRONOUS",
        "GATEWAY_LEDGER_COMMIT",
        "GATEWAY_BACKLOG_AT_MOST",
        "LOG_LEVEL",
        "DATABASE_URL",
        "REDIS_URL",
        "REDIS_CACHE_URL",
        "GATEWAY_CACHE_BYTES",
        "CACHE_ENABLED",
        "CACHE_TTL",
    ],
)
def test_a_wrong_setting_stops_the_process_and_is_named(tmp_path: Path, name: str) -> None:
    started = _started(tmp_path, **{name: "perhaps"})
    assert started.returncode != 0
    assert f"ImproperlyConfigured: {name}" in started.stderr


def test_every_variable_has_a_meaning() -> None:
    assert len({variable.name for variable in settings.ENVIRONMENT}) == len(settings.ENVIRONMENT)
    assert all(variable.meaning.endswith(".") for variable in settings.ENVIRONMENT)


@pytest.mark.usefixtures("each_database")
def test_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
