"""Turns a database URL into Django's settings for SQLite or PostgreSQL."""

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_KEPT_SECONDS = 60
"""The configuration is looked at four times a second: connecting would cost more than the look."""

_NOTICED_WITHIN = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",
}
"""A server that is gone without a word is noticed in seconds, not in the system's two hours."""


def database_settings(*, url: str, home: Path, synchronous: str) -> dict[str, Any]:
    """Django's settings for the given URL; without one, a SQLite file in the gateway's home."""
    if not url:
        return _sqlite(str(home / "gateway.sqlite3"), synchronous)
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return _sqlite(unquote(parts.path[1:]), synchronous)
    if parts.scheme in {"postgres", "postgresql"} and len(parts.path) > 1:
        return _postgresql(parts)
    raise ImproperlyConfigured(
        "DATABASE_URL must read postgresql://user:password@host:port/name or sqlite:///path/to/file."
    )


def _sqlite(name: str, synchronous: str) -> dict[str, Any]:
    # Without recursive_triggers, INSERT OR REPLACE would replace a ledger row and fire no DELETE trigger.
    pragmas = ("journal_mode=WAL", f"synchronous={synchronous}", "recursive_triggers=ON")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "CONN_MAX_AGE": _KEPT_SECONDS,
        "OPTIONS": {
            "init_command": ";".join(f"PRAGMA {pragma}" for pragma in pragmas),
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }


def _postgresql(parts: SplitResult) -> dict[str, Any]:
    try:
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured("DATABASE_URL names a port that is not a number.") from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "CONN_MAX_AGE": _KEPT_SECONDS,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": _NOTICED_WITHIN | dict(parse_qsl(parts.query)),
    }
