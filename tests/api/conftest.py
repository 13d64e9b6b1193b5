"""Two gateways and one provider for all tests of a process; each file calls as a tenant of its own.

Every test that calls a gateway runs on each kind: one process with its file, and several on servers.

Models under `stub/` and its like exist under any name, so that each test makes up one of its own, scripts
it, and finds its calls, its bill and its breaker unmixed.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import pytest

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer, served_fleet, served_gateway
from tests.support.provider_scripts import answer_honestly
from tests.support.provider_stub import ProviderStub

PROVIDER_SECRET = "made-up-secret-of-the-provider"
BODY_LIMIT = 4 * 1024 * 1024

CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{stub}", keys: [{{name: main, secret: {secret}}}]}}
  spare: {{wire: openai, base_url: "{spare}"}}
  hasty: {{wire: openai, base_url: "{stub}", timeout: {{connect: 1, first_byte: 0.3, idle: 0.3, total: 5}}}}
  idle: {{wire: openai, base_url: "{idle}"}}
  gone: {{wire: openai, base_url: "http://127.0.0.1:9/v1"}}
  echo: {{wire: echo}}
models:
  "stub/*": {{max_output_tokens: 100, deployments: [{{provider: stub, model: "*"}}]}}
  "pair/*":
    max_output_tokens: 100
    deployments:
      - {{provider: stub, model: "*", priority: 0}}
      - {{provider: spare, model: "*", priority: 1}}
  "hasty/*":
    max_output_tokens: 100
    deployments:
      - {{provider: hasty, model: "*", priority: 0}}
      - {{provider: spare, model: "*", priority: 1}}
  "gone/*":
    max_output_tokens: 100
    deployments:
      - {{provider: gone, model: "*", priority: 0}}
      - {{provider: spare, model: "*", priority: 1}}
  "idle/*": {{max_output_tokens: 100, deployments: [{{provider: idle, model: "*"}}]}}
  echo: {{max_output_tokens: 1000, deployments: [{{provider: echo}}]}}
  "meta/llama-3:8b": {{max_output_tokens: 1000, deployments: [{{provider: echo}}]}}
  echo-embedding: {{kind: embedding, deployments: [{{provider: echo}}]}}
aliases: {{small: echo}}
defaults: {{chat: echo, embedding: echo-embedding}}
prices:
  - {{provider: stub, model: "*", input: 1, output: 2}}
  - {{provider: spare, model: "*", input: 1, output: 2}}
  - {{provider: idle, model: "*", input: 1, output: 2}}
  - {{provider: gone, model: "*", input: 1, output: 2}}
  - {{provider: hasty, model: "*", input: 1, output: 2}}
  - {{provider: echo, model: "*", input: 1, output: 2}}
tenants:
{tenants}
"""
TENANTS = ("sdk", "passing", "careless", "leaving", "failing", "mended")
TENANT = """
  {name}:
    limits: {{rpm: 100000, tpm: 100000000}}
    budgets: [{{amount: 1000, window: total, hard: true}}]
    keys: [{{name: app, secret: {name}-key-0000000001}}]
"""
STRICT_TENANTS = """
  poor:
    budgets: [{amount: 0.000001, window: total, hard: true}]
    keys: [{name: app, secret: poor-key-0000000001}]
  rare:
    limits: {rpd: 1}
    keys: [{name: app, secret: rare-key-0000000001}]
  brief:
    limits: {tpm: 30}
    keys: [{name: app, secret: brief-key-0000000001}]
  single:
    limits: {parallel: 1}
    budgets: [{amount: 1000, window: total, hard: true}]
    keys: [{name: app, secret: single-key-0000000001}]
  bursting:
    limits: {rpm: 100000, burst: {calls: 1, seconds: 1}}
    keys: [{name: app, secret: bursting-key-0000000001}]
  narrow:
    keys: [{name: app, secret: narrow-key-0000000001, models: [echo]}]
"""


class Calling(Protocol):
    """Makes a caller of a tenant."""

    def __call__(self, tenant: str) -> Caller:
        """The caller with the tenant's key."""


@pytest.fixture(scope="session")
def provider() -> Iterator[ProviderStub]:
    """A provider that answers honestly, unless a test scripts it."""
    with ProviderStub(answer_honestly) as stub:
        yield stub


@pytest.fixture(scope="session")
def configuration(provider: ProviderStub) -> str:
    """The tenants above, and the provider under all its names."""
    tenants = "".join(TENANT.format(name=name) for name in TENANTS) + STRICT_TENANTS
    urls = {"stub": provider.url(), "spare": provider.url("/spare"), "idle": provider.url(host="localhost")}
    return CONFIGURATION.format(**urls, secret=PROVIDER_SECRET, tenants=tenants)


@pytest.fixture(scope="session")
def embedded_gateway(configuration: str) -> Iterator[GatewayServer]:
    """The gateway as one process."""
    with served_gateway(configuration, GATEWAY_MAX_BODY_BYTES=str(BODY_LIMIT)) as server:
        yield server
        assert mistakes(server) == []


@pytest.fixture(scope="session")
def distributed_gateway(configuration: str) -> Iterator[GatewayServer]:
    """The gateway as several processes, which take the calls in turn."""
    with served_fleet(configuration, GATEWAY_MAX_BODY_BYTES=str(BODY_LIMIT)) as server:
        yield server
        assert mistakes(server) == []


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def each_mode(request: pytest.FixtureRequest) -> str:
    """A file's tests run once on each kind of gateway, and learn which."""
    mode: str = request.param
    return mode


class Serving(Protocol):
    """Serves a configuration by processes of its own."""

    def __call__(self, configuration: str, **environment: str) -> AbstractContextManager[GatewayServer]:
        """The gateway, of the test's kind."""


@pytest.fixture(scope="module")
def serving(each_mode: str) -> Serving:
    """Serves one web process of the test's kind."""
    return served_gateway if each_mode == "embedded" else partial(served_fleet, webs=1)


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, each_mode: str) -> GatewayServer:
    """The gateway of the test's kind."""
    server: GatewayServer = request.getfixturevalue(f"{each_mode}_gateway")
    return server


@pytest.fixture
def calling(gateway: GatewayServer) -> Calling:
    """Makes callers."""

    def caller(tenant: str) -> Caller:
        return Caller(gateway, tenant, f"{tenant}-key-0000000001")

    return caller


def mistakes(server: GatewayServer) -> list[str]:
    """What it logged as an error."""
    logged = server.log.splitlines()
    return [line for line in logged if " ERROR " in line and "DisallowedHost" not in line]


@pytest.fixture
def careless(calling: Calling) -> Caller:
    """Someone who does not take care what they send."""
    return calling("careless")


@pytest.fixture
def uncharged(careless: Caller, provider: ProviderStub) -> Iterator[Caller]:
    """The same, and whatever they send in this test costs nobody anything, and reaches no provider."""
    known, heard = careless.gateway.known_calls(), provider.heard_in_all()
    yield careless
    assert careless.gateway.known_calls() == known
    assert provider.heard_in_all() == heard
    assert careless.gateway.open_holds() == 0
