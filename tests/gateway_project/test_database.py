"""Database URLs."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway_project.database import database_settings

HOME = Path("/srv/gateway")


def _read(url: str) -> dict[str, Any]:
    return database_settings(url=url, home=HOME, synchronous="FULL")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("", "/srv/gateway/gateway.sqlite3"),
        ("sqlite:///gateway.db", "gateway.db"),
        ("sqlite:////data/a%20b.db", "/data/a b.db"),
    ],
)
def test_sqlite_is_a_file_with_a_write_ahead_log(url: str, name: str) -> None:
    config = _read(url)
    assert config["NAME"] == name
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON"):
        assert pragma in config["OPTIONS"]["init_command"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_has_its_parts_decoded(scheme: str) -> None:
    config = _read(f"{scheme}://al%40ice:p%2Fw@db.internal:6432/gate%20way?sslmode=require")
    parts = [config[part] for part in ("USER", "PASSWORD", "HOST", "PORT", "NAME")]
    assert parts == ["al@ice", "p/w", "db.internal", "6432", "gate way"]
    assert config["OPTIONS"]["sslmode"] == "require"


def test_a_silent_postgresql_is_noticed_in_seconds_unless_told_otherwise() -> None:
    options = _read("postgresql://db.internal/gateway?connect_timeout=20")["OPTIONS"]
    assert options["connect_timeout"] == "20"
    assert int(options["tcp_user_timeout"]) <= 10_000
    assert int(options["keepalives_idle"]) <= 10


@pytest.mark.parametrize(
    "url",
    ["mysql://localhost/gateway", "postgresql://localhost", "sqlite://gateway.db", "postgresql://h:port/g"],
)
def test_any_other_url_is_an_error_that_keeps_the_password_to_itself(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as raised:
        _read(url.replace("://", "://alice:hidden@"))
    assert "hidden" not in str(raised.value)
