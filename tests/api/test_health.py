"""Readiness: what is wrong by name, what is only degraded, and how far the journal is behind."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_server import GatewayServer, WebProcess, configured_gateway
from tests.support.ports import answers
from tests.support.prepared import migrated_database
from tests.support.processes import frozen
from tests.support.raw_http import exchange, request_bytes
from tests.support.redis_server import OwnRedis, own_redis
from tests.support.servers import postgresql_database
from tests.support.small_configurations import ACME, ECHO
from tests.support.waiting import eventually

ASKED_AGAIN_AFTER = 1.0
"""Seconds that a load balancer waits, unless told otherwise."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    folder: Path = tmp_path_factory.mktemp("redis")
    with own_redis(folder, "--appendonly", "yes") as redis:
        yield redis


@pytest.fixture(scope="module")
def distributed(redis: OwnRedis) -> Iterator[GatewayServer]:
    with (
        migrated_database() as database,
        configured_gateway(ECHO + ACME, redis=redis.url, database=database, migrate=False, webs=1) as server,
    ):
        server.start()
        yield server


def readiness(gateway: GatewayServer | WebProcess) -> tuple[int, dict[str, Any]]:
    """Status and what is told, in time."""
    began = time.monotonic()
    answer = exchange(gateway.port, request_bytes("GET", "/health/ready", {}), "GET")
    assert time.monotonic() - began < ASKED_AGAIN_AFTER
    told: dict[str, Any] = answer.json()
    assert told["status"] == ("ready" if answer.status == 200 else "unavailable")
    assert told["service"]
    assert told["version"]
    return answer.status, {name: told[name] for name in told if name not in ("status", "service", "version")}


def test_an_embedded_gateway_that_is_well_says_no_more(embedded_gateway: GatewayServer) -> None:
    assert readiness(embedded_gateway) == (200, {"wrong": {}})


def test_a_distributed_gateway_that_is_well_tells_of_its_journal(distributed: GatewayServer) -> None:
    assert readiness(distributed) == (200, {"wrong": {}, "journal": {"entries": 0, "lag_seconds": 0}})


def test_a_redis_that_may_forget_is_wrong_and_one_without_a_disk_is_told_of(
    distributed: GatewayServer, redis: OwnRedis
) -> None:
    with redis.client as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        status, told = readiness(distributed)
        assert status == 503
        assert "noeviction" in told["wrong"]["redis"]
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "no")
        status, told = readiness(distributed)
        assert (status, told["wrong"]) == (200, {})
        assert "appendonly" in told["degraded"]["redis"]
        client.config_set("appendonly", "yes")


@contextmanager
def killed(redis: OwnRedis) -> Iterator[None]:
    """Without it meanwhile."""
    redis.kill()
    try:
        yield
    finally:
        redis.start()


@pytest.mark.parametrize("away", [killed, lambda redis: frozen(redis.pid)], ids=["killed", "frozen"])
def test_without_redis_no_calls_should_come_until_it_is_back(
    distributed: GatewayServer, redis: OwnRedis, away: Callable[[OwnRedis], AbstractContextManager[None]]
) -> None:
    with away(redis):
        assert eventually(lambda: readiness(distributed)[0] == 503)
        assert readiness(distributed) == (503, {"wrong": {"redis": "cannot be reached"}})
    assert eventually(lambda: readiness(distributed)[0] == 200, within=20)


def test_a_gateway_without_its_tables_says_what_to_do(redis: OwnRedis, tmp_path: Path) -> None:
    with postgresql_database() as database:
        environment = {"GATEWAY_HOME": str(tmp_path), "DATABASE_URL": database, "REDIS_URL": redis.url}
        web = WebProcess(0, environment=environment, log=tmp_path / "web.log")
        web.start()
        try:
            assert eventually(lambda: answers("127.0.0.1", web.port), within=30)
            status, told = readiness(web)
        finally:
            web.stop()
    assert (status, list(told["wrong"])) == (503, ["migrations"])
    assert "manage.py migrate" in told["wrong"]["migrations"]
