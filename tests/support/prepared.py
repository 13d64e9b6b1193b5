"""Databases with every table, and homes that are configured: made once in a process, then copied."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from tests.support.processes import manage
from tests.support.servers import postgresql_database


@contextmanager
def migrated_database() -> Iterator[str]:
    """The URL of a PostgreSQL database with every table and no rows, which is dropped in the end."""
    with postgresql_database(like=_migrated_database()) as url:
        yield url


@cache
def migrated_home() -> Path:
    """A home whose SQLite database has every table and no rows."""
    home = _home()
    manage("migrate", "--skip-checks", "--verbosity", "0", environment={"GATEWAY_HOME": str(home)})
    return home


@cache
def configured_home(configuration: str) -> Path:
    """The same with this configuration, and with what its secrets were encrypted with."""
    home = _home()
    shutil.copytree(migrated_home(), home, dirs_exist_ok=True)
    apply(configuration, {"GATEWAY_HOME": str(home)})
    return home


def apply(configuration: str, environment: dict[str, str]) -> None:
    """Configure what the environment names."""
    manage("apply", "-", "--skip-checks", environment=environment, told=configuration)


@cache
def _migrated_database() -> str:
    stack = ExitStack()
    url = stack.enter_context(postgresql_database())
    atexit.register(stack.close)  # after the server was found: what ends last is registered first
    with tempfile.TemporaryDirectory(prefix="gateway-template-") as home:
        servers = {"GATEWAY_HOME": home, "DATABASE_URL": url}
        manage("migrate", "--skip-checks", "--verbosity", "0", environment=servers)
    return url


def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="gateway-template-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home
