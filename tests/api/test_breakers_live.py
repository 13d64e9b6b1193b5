"""What one process, a probe or an operator says of a deployment holds at all processes within a second."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.caller import Caller, fresh, hello
from tests.support.gateway_server import GatewayServer, WebProcess, served_fleet, served_gateway
from tests.support.provider_scripts import answer_honestly, completion, fails, replies
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import exchange, request_bytes
from tests.support.waiting import eventually

IN_FORCE_WITHIN = 1.0
REST = 3
CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{url}"}}
models:
  "stub/*": {{max_output_tokens: 100, deployments: [{{provider: stub, model: "*"}}]}}
prices: [{{provider: stub, model: "*", input: 1, output: 2}}]
tenants:
  acme: {{keys: [{{name: app, secret: acme-key-0000000001}}]}}
"""
REPORT = """
import time
from providers.health import health_report
from providers.models import Deployment
health_report(deployment=Deployment.objects.get(), upstream={upstream!r}, ok={ok}, detail="by a probe")
print(time.monotonic())
"""
OPERATE = """
import time
from providers.breakers import breaker_set
from providers.models import Deployment
breaker_set(deployment=Deployment.objects.get(), state={state!r})
print(time.monotonic())
"""


@pytest.fixture(scope="module")
def fleet(provider: ProviderStub) -> Iterator[Caller]:
    """Two processes whose breakers open at the second failure."""
    options = {"CIRCUIT_BREAKER_FAILURE_THRESHOLD": "2", "CIRCUIT_BREAKER_TIMEOUT": str(REST)}
    with served_fleet(CONFIGURATION.format(url=provider.url()), webs=2, **options) as gateway:
        yield _caller(gateway)


@pytest.fixture(scope="module")
def single(provider: ProviderStub) -> Iterator[Caller]:
    """One process on a database file."""
    with served_gateway(CONFIGURATION.format(url=provider.url())) as gateway:
        yield _caller(gateway)


@pytest.fixture(params=["single", "fleet"])
def caller(request: pytest.FixtureRequest) -> Caller:
    found: Caller = request.getfixturevalue(request.param)
    return found


def _caller(gateway: GatewayServer) -> Caller:
    return Caller(gateway, "acme", "acme-key-0000000001")


def _status(caller: Caller, web: WebProcess, model: str) -> int:
    return exchange(web.port, caller.request(hello(model))).status


def _ask_all(caller: Caller, model: str) -> list[int]:
    return [_status(caller, web, model) for web in caller.gateway.webs]


def _told(caller: Caller) -> list[bool]:
    """Whether the provider is available, as each process tells it."""
    asked = request_bytes("GET", "/api/v1/health/detailed", caller.headers())
    answers = [exchange(web.port, asked).json() for web in caller.gateway.webs]
    return [answer["providers"]["stub"]["available"] for answer in answers]


def _said(caller: Caller, script: str) -> float:
    """Say something in a process of its own; when it was said, on everybody's clock."""
    return float(caller.gateway.manage("shell", "--no-imports", "-c", script).split()[-1])


def _unheard_until(has_heard: Callable[[], bool]) -> float:
    """When a process was asked last that turned out not to have heard, less what it needs for an answer.

    Answers that came later tell nothing of that moment. On a busy machine a process may need as long for
    hearing as for the slowest answer that it gave meanwhile.
    """
    asked, slowest = 0.0, 0.0

    def look() -> bool:
        nonlocal asked, slowest
        began = time.monotonic()
        heard = has_heard()
        slowest = max(slowest, time.monotonic() - began)
        asked = asked if heard else began
        return heard

    assert eventually(look)
    return asked - slowest


def _in_force(caller: Caller, script: str, model: str, status: int) -> None:
    """Each process answers so whatever is asked later than a second after something was said.

    Nobody asks sooner: such answers would tell nothing.
    """
    said, webs = _said(caller, script), caller.gateway.webs
    assert eventually(lambda: time.monotonic() > said + IN_FORCE_WITHIN)

    def unheard_until(web: WebProcess) -> float:
        return _unheard_until(lambda: _status(caller, web, model) == status)

    with ThreadPoolExecutor(len(webs)) as pool:
        assert max(pool.map(unheard_until, webs)) < said + IN_FORCE_WITHIN


def test_what_fails_at_one_opens_at_both(fleet: Caller, provider: ProviderStub) -> None:
    name, (one, other) = fresh("ill"), fleet.gateway.webs
    provider.script(name, fails(500))

    def reaches(web: WebProcess) -> bool:
        before = len(provider.heard(name))
        _status(fleet, web, f"stub/{name}")
        return len(provider.heard(name)) > before

    assert eventually(lambda: not reaches(one), within=5.0)
    opened = time.monotonic()
    provider.script(name, answer_honestly)  # the other has no reason of its own to open
    assert _unheard_until(lambda: not reaches(other)) < opened + IN_FORCE_WITHIN
    assert _ask_all(fleet, f"stub/{name}") == [503, 503]


def test_one_probe_goes_through_over_both_and_closes_both(fleet: Caller, provider: ProviderStub) -> None:
    name = fresh("probed")
    model = f"stub/{name}"
    provider.script(name, fails(500))
    assert eventually(lambda: _ask_all(fleet, model) == [503, 503], within=5.0)
    heard = len(provider.heard(name))
    provider.script(name, replies(completion(), gated=True))
    with ThreadPoolExecutor(8) as pool:
        ended = time.monotonic() + REST + 2.5
        webs = fleet.gateway.webs * 4

        def ask(web: WebProcess) -> list[int]:
            statuses: list[int] = []
            while time.monotonic() < ended and 200 not in statuses:
                statuses.append(_status(fleet, web, model))
            return statuses

        asked = [pool.submit(ask, web) for web in webs]
        assert provider.wait_for(lambda: len(provider.heard(name)) > heard)
        probed = time.monotonic()
        provider.wait_for(lambda: len(provider.heard(name)) > heard + 1, seconds=1.5)
        assert len(provider.heard(name)) == heard + 1
        provider.script(name, answer_honestly)
        provider.gate(name).open()
        answers = [one.result() for one in asked]
    assert all(statuses[-1] == 200 for statuses in answers), (answers, probed)


def test_a_probes_report_opens_and_closes(caller: Caller) -> None:
    name = fresh("reported")
    assert set(_ask_all(caller, f"stub/{name}")) == {200}
    _in_force(caller, REPORT.format(upstream=name, ok=False), f"stub/{name}", 503)
    _in_force(caller, REPORT.format(upstream=name, ok=True), f"stub/{name}", 200)


def test_an_operators_word_holds_until_it_is_taken_back(caller: Caller) -> None:
    model = f"stub/{fresh('held')}"
    _in_force(caller, OPERATE.format(state="open"), model, 503)
    assert _told(caller) == [False] * len(caller.gateway.webs)
    _in_force(caller, OPERATE.format(state="auto"), model, 200)
    assert _told(caller) == [True] * len(caller.gateway.webs)


def test_an_operator_closes_what_a_probe_opened(caller: Caller) -> None:
    name = fresh("closed")
    _in_force(caller, REPORT.format(upstream=name, ok=False), f"stub/{name}", 503)
    _in_force(caller, OPERATE.format(state="closed"), f"stub/{name}", 200)
