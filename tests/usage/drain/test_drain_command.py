"""`manage.py drain`, as an operator runs it."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from tests.support.processes import manage
from tests.usage.drain.conftest import Making, Works


def test_it_needs_redis(settings: Settings) -> None:
    settings.REDIS_URL = ""
    with pytest.raises(CommandError, match="REDIS_URL"):
        call_command("drain")


def test_it_needs_postgresql(settings: Settings) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("DATABASE_URL names a PostgreSQL server")
    settings.REDIS_URL = "redis://127.0.0.1:1"
    with pytest.raises(CommandError, match="DATABASE_URL"):
        call_command("drain")


@pytest.mark.servers
def test_once_moves_what_is_there_and_says_how_much(works: Works, entries: Making, tmp_path: Path) -> None:
    works.write(entries(20))
    works.write_line(b"poison\n")
    servers = {"DATABASE_URL": works.conninfo, "REDIS_URL": works.server.url, "GATEWAY_HOME": str(tmp_path)}
    said = manage("drain", "--once", environment=servers)
    assert said == "20 rows were added to the ledger.\n1 lines could not be rows and were set aside.\n"
    assert len(works.rows()) == 20
    assert manage("drain", "--once", environment=servers) == "0 rows were added to the ledger.\n"


@pytest.mark.servers
def test_once_is_loud_when_a_server_is_away(works: Works, tmp_path: Path) -> None:
    servers = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "REDIS_URL": works.server.url}
    with pytest.raises(AssertionError, match="CommandError: PostgreSQL"):
        manage("drain", "--once", environment=servers | {"GATEWAY_HOME": str(tmp_path)})
