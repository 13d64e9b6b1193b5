"""`manage.py serve` as a service of several processes: one port, one end, nobody left behind."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer, configured_gateway
from tests.support.ports import answers
from tests.support.prepared import migrated_database
from tests.support.processes import frozen
from tests.support.provider_scripts import completion, replies
from tests.support.provider_stub import ProviderStub
from tests.support.servers import redis_database
from tests.support.small_configurations import ACME, acme_at, stub_at
from tests.support.waiting import eventually

WORKERS = 2
LAST_READ_SECONDS = 2.0
"""A drainer that is told to end waits no longer for its last line."""
NAMES = {"web 1", "web 2", "drain"}
PROCESSES = Path("/proc")
"""Where Linux tells of them; elsewhere a process must be started to ask."""
STARTED = re.compile(r" (\w[\w ]*) is process (\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderStub]:
    with ProviderStub(replies(completion())) as stub:
        yield stub


@pytest.fixture(scope="module")
def configured(provider: ProviderStub) -> Iterator[GatewayServer]:
    with (
        redis_database() as redis,
        migrated_database() as database,
        configured_gateway(
            stub_at(provider.url()) + ACME, redis=redis, database=database, migrate=False, workers=WORKERS
        ) as server,
    ):
        yield server
        server.stop()
        assert eventually(lambda: not anybody_of(server))


@pytest.fixture
def gateway(configured: GatewayServer) -> Iterator[GatewayServer]:
    """It runs, and goes on for the next test, unless this one ends it."""
    if not configured.webs[0].runs:
        configured.start()
    assert eventually(lambda: set(children(configured)) == NAMES)
    yield configured
    assert configured.webs[0].runs or eventually(lambda: not anybody_of(configured))


@pytest.fixture
def caller(gateway: GatewayServer) -> Caller:
    return acme_at(gateway)


def children(gateway: GatewayServer) -> dict[str, int]:
    """The living children of the supervisor by name."""
    started = {name: int(process) for name, process in STARTED.findall(gateway.log)}
    return {name: process for name, process in started.items() if is_alive(process)}


def anybody_of(gateway: GatewayServer) -> bool:
    """Whether any child that it ever started is alive."""
    return any(is_alive(int(process)) for _, process in STARTED.findall(gateway.log))


def is_alive(process: int) -> bool:
    """Whether it runs; who has ended may wait for long until somebody asks how."""
    if PROCESSES.exists():
        try:
            return (PROCESSES / str(process) / "stat").read_text().rpartition(") ")[2][0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False
    state = subprocess.run(
        ["ps", "-o", "state=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return state.stdout.strip() not in ("", "Z")


@pytest.mark.parametrize("name", ["web 1", "web 2"])
def test_each_web_process_answers_on_the_one_port(gateway: GatewayServer, caller: Caller, name: str) -> None:
    with frozen(children(gateway)[name]):
        assert [caller.chat("stub/one").status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_child_that_is_killed_is_started_again_and_works(
    gateway: GatewayServer, caller: Caller, name: str
) -> None:
    killed, others = children(gateway)[name], {"web 1", "web 2"} - {name}
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: children(gateway).get(name, killed) != killed)
    assert f"{name} was ended by signal 9 (Killed)" in gateway.log
    request = fresh("again")
    if name != "drain":
        with frozen(children(gateway)[others.pop()]):
            assert caller.chat("stub/again", request).status == 200
    else:
        assert caller.chat("stub/again", request).status == 200
    assert caller.entry(request).status == "settled"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_calls_under_way_are_finished_and_drained(
    gateway: GatewayServer, caller: Caller, provider: ProviderStub, how: signal.Signals
) -> None:
    """What is settled at the very end is in the ledger, though nobody is there any more to drain it."""
    name, request = fresh("last"), fresh("last")
    provider.script(name, replies(completion(), gated=True))
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(caller.chat, f"stub/{name}", request)
        assert provider.wait_for(lambda: bool(provider.heard(name)))
        ending = pool.submit(gateway.webs[0].end, how)
        assert eventually(lambda: not answers("127.0.0.1", gateway.webs[0].port))
        assert not eventually(lambda: "drain" not in children(gateway), within=LAST_READ_SECONDS)
        provider.gate(name).open()
        assert answer.result().status == 200
        assert ending.result() == 0
    assert [row.request_id for row in gateway.ledger(request=request)] == [request]
    assert children(gateway) == {}


def test_nobody_outlives_a_supervisor_that_is_killed(gateway: GatewayServer) -> None:
    port = gateway.port
    gateway.kill()
    assert eventually(lambda: children(gateway) == {})
    assert not answers("127.0.0.1", port)
