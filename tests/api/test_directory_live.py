"""What another process changes is in force here within a second, under load, without a restart."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer
from tests.support.small_configurations import ECHO
from tests.support.waiting import eventually

IN_FORCE_WITHIN = 1.0
CALLERS = 4
CONFIGURATION = (
    ECHO
    + """
tenants:
  alices: {keys: [{name: app, secret: alices-key-0000000001}]}
  bobs: {keys: [{name: app, secret: bobs-key-0000000001}]}
  charlies: {keys: [{name: app, secret: charlies-key-0000000001}]}
"""
)
CHANGE = """
import time
from providers.models import Deployment, Model, Provider
from tenants.models import ApiKey, Limit, Tenant
{change}
print(time.monotonic())
"""


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION) as server:
        yield server


def calling(gateway: GatewayServer, tenant: str) -> Caller:
    return Caller(gateway, tenant, f"{tenant}-key-0000000001")


def changed(gateway: GatewayServer, change: str) -> float:
    """Make a change by the ORM in a process of its own; when it was committed, on everybody's clock."""
    return float(gateway.manage("shell", "--no-imports", "-c", CHANGE.format(change=change)).split()[-1])


@contextmanager
def load(caller: Caller) -> Iterator[None]:
    """Others call all the while, without a pause."""
    ended = Event()

    def call() -> None:
        while not ended.is_set():
            assert caller.chat("echo").status == 200

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(call) for _ in range(CALLERS)]
        try:
            yield
        finally:
            ended.set()
        for one in callers:
            one.result()


def calls_until(caller: Caller, status: int, *, model: str = "echo") -> list[tuple[float, int]]:
    """The calls of a caller until one is answered so, and a few beyond: when each began, and its status."""
    calls: list[tuple[float, int]] = []

    def call() -> bool:
        began = time.monotonic()
        calls.append((began, caller.chat(model).status))
        return calls[-1][1] == status

    assert eventually(call, within=10.0), calls[-3:]
    for _ in range(20):
        call()
    return calls


def answers_about(
    change: str, gateway: GatewayServer, caller: Caller, status: int, *, model: str = "echo"
) -> list[int]:
    """How a caller is answered until a change shows, and beyond, which takes a second at most."""
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(calls_until, caller, status, model=model)
        committed = changed(gateway, change)
        calls = watching.result()
    assert {answered for began, answered in calls if began > committed + IN_FORCE_WITHIN} <= {status}
    assert calls[-1][1] == status
    return [answered for _, answered in calls]


def test_a_blocked_key_is_refused_within_a_second_under_load(gateway: GatewayServer) -> None:
    alice = calling(gateway, "alices")
    assert alice.chat("echo").status == 200
    with load(calling(gateway, "bobs")):
        change = "ApiKey.objects.filter(tenant__name='alices').update(blocked=True)"
        answered = answers_about(change, gateway, alice, 401)
    assert answered[0] == 200
    assert answered == sorted(answered)


def test_a_new_model_answers_within_a_second_under_load(gateway: GatewayServer) -> None:
    bob = calling(gateway, "bobs")
    assert bob.chat("newcomer").status == 404
    change = (
        "model = Model.objects.create(name='newcomer', max_output_tokens=100)\n"
        "echo = Provider.objects.get()\n"
        "Deployment.objects.create(model=model, provider=echo, upstream_model='newcomer')"
    )
    with load(bob):
        answers_about(change, gateway, bob, 200, model="newcomer")


def test_a_new_limit_holds_within_a_second(gateway: GatewayServer) -> None:
    charlie = calling(gateway, "charlies")
    assert charlie.chat("echo").status == 200
    change = (
        "tenant = Tenant.objects.get(name='charlies')\n"
        "Limit.objects.create(tenant=tenant, unit='requests', window='day', amount=1)"
    )
    answers_about(change, gateway, charlie, 429)


def test_a_blocked_tenant_is_refused_within_a_second(gateway: GatewayServer) -> None:
    bob = calling(gateway, "bobs")
    assert bob.chat("echo").status == 200
    answers_about("Tenant.objects.filter(name='bobs').update(blocked=True)", gateway, bob, 403)
