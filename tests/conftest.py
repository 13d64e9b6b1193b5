"""Settings and fixtures of every test.

Each process of a test run gets a home of its own, before Django reads its settings.
"""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["GATEWAY_HOME"] = str(_HOME)
os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_project.settings"

import django  # noqa: E402  # the home must be named first
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

django.setup()
settings.register_profile(
    "house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")  # a busy machine is no mistake of the code

from django.conf import settings as django_settings  # noqa: E402
from django.db import DEFAULT_DB_ALIAS, connections  # noqa: E402

from tests.support.databases import (  # noqa: E402
    each_database,
    postgresql,
    postgresql_connection,
    postgresql_url,
)
from tests.support.gateways import (  # noqa: E402
    configuration,
    distributed_gateway,
    embedded_gateway,
    lasting_distributed,
    lasting_embedded,
    provider,
)
from tests.support.guards import flush_lifts_guards  # noqa: E402
from tests.support.lasting import end_idle, order  # noqa: E402
from tests.support.servers import nats_url, redis_url  # noqa: E402

__all__ = (
    "configuration",
    "distributed_gateway",
    "each_database",
    "embedded_gateway",
    "lasting_distributed",
    "lasting_embedded",
    "nats_url",
    "postgresql",
    "postgresql_connection",
    "postgresql_url",
    "provider",
    "redis_url",
)

flush_lifts_guards()

# Gateways that are served hash passwords and find static files as configured. In this process there are
# hundreds of people and clients: a real hash takes half a second, and so do the files of five clients.
django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
django_settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Keep the test database in a file: threads and processes of a test then meet as they do in service."""
    config = connections[DEFAULT_DB_ALIAS].settings_dict
    if config["ENGINE"].endswith("sqlite3"):
        config["TEST"]["NAME"] = str(_HOME / "test.sqlite3")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Put them in order.

    Whoever runs on each database needs the test database, also when it is the only test of the run.
    """
    for item in items:
        if "each_database" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.django_db)
    result = yield
    order(config, items)
    return result


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Gateways that no later file calls need not idle beside it."""
    end_idle(item)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays, so nobody need look for rubbish in it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
