"""The doors about kept answers: what they tell to whom, and who may clear what."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.caller import Caller, fresh, hello
from tests.support.gateway_server import GatewayServer, served_fleet, served_gateway
from tests.support.keeping_gateways import CONFIGURATION, keyed
from tests.support.plain_doors import PlainDoor
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer
from tests.support.small_configurations import CALL_NANO
from tests.support.telling import read
from tests.support.waiting import eventually

QUERY = PlainDoor(path="/query", dialect="query")
STATUS = {"status", "total_entries", "total_size_mb", "hits", "misses", "hit_rate", "saved_usd"}


@pytest.fixture
def gateway(each_mode: str, provider: ProviderStub) -> Iterator[GatewayServer]:
    """A gateway that keeps nothing yet."""
    told = CONFIGURATION.format(url=provider.url(), claude=provider.url("/claude"))
    with served_gateway(told) if each_mode == "embedded" else served_fleet(told, webs=1) as server:
        yield server


def status(caller: Caller) -> dict[str, Any]:
    told: dict[str, Any] = read(caller, "/cache/status").json()
    assert set(told) == STATUS
    return told


def clear(caller: Caller, **meant: str) -> Answer:
    return caller.post(json.dumps(meant).encode() if meant else b"", path="/cache/clear")


def keep(caller: Caller, *users: str) -> str:
    """Have an answer kept for each user; the model that gave them."""
    model, before = fresh("stub/kept"), status(caller)["total_entries"]
    for user in users:
        caller.post(hello(model, temperature=0, user=user, seed=len(user)))
    assert eventually(lambda: status(caller)["total_entries"] == before + len(users))
    return model


def test_the_doors_of_kept_answers(gateway: GatewayServer) -> None:
    boss, other = keyed(gateway, "boss", "cold"), keyed(gateway, "other")
    empty = {"total_entries": 0, "total_size_mb": 0, "hits": 0, "misses": 0, "hit_rate": 0, "saved_usd": 0}
    assert status(boss) == {"status": "healthy"} | empty
    _counts(boss)
    _is_told_to_nobody_else(boss, other)
    _is_cleared_by_name(boss)
    _is_cleared_by_those_who_may(gateway, boss, other)


def _counts(boss: Caller) -> None:
    model = keep(boss, "alice")
    for _ in range(3):
        boss.post(hello(model, temperature=0, user="bob", seed=5))
    told = status(boss)
    assert (told["hits"], told["misses"], told["hit_rate"]) == (3, 1, 0.75)
    assert told["saved_usd"] == pytest.approx(3 * CALL_NANO / 1e9)
    assert told["total_size_mb"] > 0
    assert read(boss, "/health/detailed").json()["cache"] == told
    assert clear(boss).json() == {"entries_cleared": 1, "pattern": None, "user_id": None}


def _is_told_to_nobody_else(boss: Caller, other: Caller) -> None:
    keep(boss, "alice")
    assert status(other)["total_entries"] == 0
    assert clear(other).json()["entries_cleared"] == 0
    assert status(boss)["total_entries"] == 1
    assert clear(boss).json()["entries_cleared"] == 1


def _is_cleared_by_name(boss: Caller) -> None:
    model = keep(boss, "bob", "alice", "charlie")
    assert clear(boss, pattern="nobody_*").json() == {
        "entries_cleared": 0,
        "pattern": "nobody_*",
        "user_id": None,
    }
    assert clear(boss, user_id="bob").json()["entries_cleared"] == 1
    assert clear(boss, pattern="al*").json()["entries_cleared"] == 1
    assert clear(boss, pattern=f"*_{model}_*", user_id="bob").json()["entries_cleared"] == 0
    assert clear(boss, pattern=f"charlie_{model}_*").json()["entries_cleared"] == 1
    assert status(boss)["total_entries"] == 0


def _is_cleared_by_those_who_may(gateway: GatewayServer, boss: Caller, other: Caller) -> None:
    keep(boss, "alice")
    for name in ("cold", "reader"):
        QUERY.error(clear(keyed(gateway, name, "cold")), 403, "forbidden")
    assert keyed(gateway, "boss").post(b"{}", path="/cache/clear", X_Tenant_ID="other").status == 403
    ops = keyed(gateway, "ops")
    QUERY.error(boss.post(b"[]", path="/cache/clear"), 400, "invalid_request")
    QUERY.error(clear(boss, pattern=["*"]), 422, "validation_failed")  # type: ignore[arg-type]
    assert ops.post(b"", path="/cache/clear", X_Tenant_ID="other").json()["entries_cleared"] == 0
    assert ops.post(b"", path="/cache/clear", X_Tenant_ID="cold").json()["entries_cleared"] == 1
    assert other.tenant == "other"
