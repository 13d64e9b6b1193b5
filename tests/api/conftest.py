"""One gateway and one provider for all tests of a process; each file calls as a tenant of its own.

Models under `stub/` and its like exist under any name, so that each test makes up one of its own, scripts
it, and finds its calls, its bill and its breaker unmixed.
"""

from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer, served_gateway
from tests.support.provider_scripts import answer_honestly
from tests.support.provider_stub import ProviderStub

PROVIDER_SECRET = "made-up-secret-of-the-provider"
BODY_LIMIT = 4 * 1024 * 1024
INPUT_NANO, OUTPUT_NANO = 1_000, 2_000
"""What a token costs, of the prompt and of the answer."""

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
TENANTS = ("sdk", "passing", "careless", "leaving", "failing")
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
def gateway(provider: ProviderStub) -> Iterator[GatewayServer]:
    """The gateway, with the tenants above."""
    tenants = "".join(TENANT.format(name=name) for name in TENANTS) + STRICT_TENANTS
    urls = {"stub": provider.url(), "spare": provider.url("/spare"), "idle": provider.url(host="localhost")}
    configuration = CONFIGURATION.format(**urls, secret=PROVIDER_SECRET, tenants=tenants)
    with served_gateway(configuration, GATEWAY_MAX_BODY_BYTES=str(BODY_LIMIT)) as server:
        yield server
        mistakes = [
            line for line in server.log.splitlines() if " ERROR " in line and "DisallowedHost" not in line
        ]
        assert mistakes == []


@pytest.fixture(scope="session")
def calling(gateway: GatewayServer) -> Calling:
    """Makes callers."""

    def caller(tenant: str) -> Caller:
        return Caller(gateway, tenant, f"{tenant}-key-0000000001")

    return caller


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
