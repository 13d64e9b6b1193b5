"""What another process changes is in force here within a second, under load, without a restart."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer, served_gateway
from tests.support.waiting import eventually

IN_FORCE_WITHIN = 1.0
CALLERS = 4
CONFIGURATION = """
providers: {echo: {wire: echo}}
models: {echo: {max_output_tokens: 100, deployments: [{provider: echo}]}}
prices: [{provider: echo, model: "*", input: 1, output: 2}]
tenants:
  alices: {keys: [{name: app, secret: alices-key-0000000001}]}
  bobs: {keys: [{name: app, secret: bobs-key-0000000001}]}
  charlies: {keys: [{name: app, secret: charlies-key-0000000001}]}
"""
CHANGE = """
import time
from providers.models import Deployment, Model, Provider
from tenants.models import ApiKey, Limit, Tenant
{change}
print(time.monotonic())
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayServer]:
    with served_gateway(CONFIGURATION) as server:
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


def test_a_blocked_key_is_refused_within_a_second_under_load(gateway: GatewayServer) -> None:
    alice = calling(gateway, "alices")
    assert alice.chat("echo").status == 200
    with load(calling(gateway, "bobs")), ThreadPoolExecutor(1) as pool:
        watching = pool.submit(calls_until, alice, 401)
        committed = changed(gateway, "ApiKey.objects.filter(tenant__name='alices').update(blocked=True)")
        calls = watching.result()
    late = [status for began, status in calls if began > committed + IN_FORCE_WITHIN]
    assert set(late) <= {401}
    assert calls[0][1] == 200
    assert calls[-1][1] == 401
    assert [status for _, status in calls] == sorted(status for _, status in calls)


def test_a_new_model_answers_within_a_second_under_load(gateway: GatewayServer) -> None:
    bob = calling(gateway, "bobs")
    assert bob.chat("newcomer").status == 404
    with load(bob), ThreadPoolExecutor(1) as pool:
        watching = pool.submit(calls_until, bob, 200, model="newcomer")
        committed = changed(
            gateway,
            "model = Model.objects.create(name='newcomer', max_output_tokens=100)\n"
            "echo = Provider.objects.get()\n"
            "Deployment.objects.create(model=model, provider=echo, upstream_model='newcomer')",
        )
        calls = watching.result()
    late = [status for began, status in calls if began > committed + IN_FORCE_WITHIN]
    assert set(late) <= {200}
    assert calls[-1][1] == 200


def test_a_new_limit_holds_within_a_second(gateway: GatewayServer) -> None:
    charlie = calling(gateway, "charlies")
    assert charlie.chat("echo").status == 200
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(calls_until, charlie, 429)
        committed = changed(
            gateway,
            "tenant = Tenant.objects.get(name='charlies')\n"
            "Limit.objects.create(tenant=tenant, unit='requests', window='day', amount=1)",
        )
        calls = watching.result()
    late = [status for began, status in calls if began > committed + IN_FORCE_WITHIN]
    assert set(late) <= {429}
    assert calls[-1][1] == 429


def test_a_blocked_tenant_is_refused_within_a_second(gateway: GatewayServer) -> None:
    bob = calling(gateway, "bobs")
    assert bob.chat("echo").status == 200
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(calls_until, bob, 403)
        committed = changed(gateway, "Tenant.objects.filter(name='bobs').update(blocked=True)")
        calls = watching.result()
    assert {status for began, status in calls if began > committed + IN_FORCE_WITHIN} <= {403}
    assert calls[-1][1] == 403
