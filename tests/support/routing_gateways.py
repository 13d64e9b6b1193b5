"""Gateways of one process and of three, whose models lead to an ill provider and to a well one.

Models exist under any name behind their prefix, so that each test scripts one of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer, configured_fleet, configured_gateway
from tests.support.gateways import mistakes
from tests.support.lasting import lent
from tests.support.provider_kinds import answer_any
from tests.support.provider_stub import ProviderStub

THRESHOLD = 3
"""Failures in a row that open a breaker."""
REST = 3
"""Seconds that it stays open."""
RPM = 10
PARALLEL = 20
PLACES = 4
"""Of each of two keys."""
BATCH = 50
TOGETHER = 3
"""Embeddings that wait for each other for long."""
BAD_SECRET, GOOD_SECRET = "made-up-secret-bad", "made-up-secret-good"

CONFIGURATION = """
providers:
  ill: {{wire: openai, base_url: "{ill}"}}
  well: {{wire: openai, base_url: "{well}"}}
  hasty: {{wire: openai, base_url: "{ill}", timeout: {{connect: 0.3, first_byte: 0.2, idle: 0.3, total: 10}}}}
  gone: {{wire: openai, base_url: "http://127.0.0.1:9/v1"}}
  outage: {{wire: openai, base_url: "{ill}", timeout: {{connect: 0.5, first_byte: 1, idle: 5, total: 20}}}}
  keyed:
    wire: openai
    base_url: "{ill}"
    keys: [{{name: first, secret: {bad}}}, {{name: second, secret: {good}}}]
  narrow: {{wire: openai, base_url: "{ill}", keys: [{{name: main, secret: s, parallel: 1}}]}}
  busy: {{wire: openai, base_url: "{ill}", keys: [{{name: main, secret: s, parallel: {parallel}}}]}}
  aside: {{wire: openai, base_url: "{ill}", keys: [{{name: main, secret: s, parallel: {parallel}}}]}}
  minute: {{wire: openai, base_url: "{ill}", keys: [{{name: main, secret: s, rpm: {rpm}}}]}}
  two:
    wire: openai
    base_url: "{ill}"
    keys: [{{name: a, secret: {bad}, parallel: {places}}}, {{name: b, secret: {good}, parallel: {places}}}]
  claude: {{wire: anthropic, base_url: "{ill_claude}"}}
models:
  "alone/*": {{max_output_tokens: 100, deployments: [{{provider: ill, model: "*"}}]}}
  "hasty/*": {{max_output_tokens: 100, deployments: [{{provider: hasty, model: "*"}}]}}
  "gone/*": {{max_output_tokens: 100, deployments: [{{provider: gone, model: "*"}}]}}
  "alone-pair/*":
    max_output_tokens: 100
    deployments: [{{provider: ill, model: "*", priority: 0}}, {well_one}]
  "hasty-pair/*":
    max_output_tokens: 100
    deployments: [{{provider: hasty, model: "*", priority: 0}}, {well_one}]
  "gone-pair/*":
    max_output_tokens: 100
    deployments: [{{provider: gone, model: "*", priority: 0}}, {well_one}]
  "outage-pair/*":
    max_output_tokens: 100
    deployments: [{{provider: outage, model: "*", priority: 0}}, {well_one}]
  "outage-mended/*":
    max_output_tokens: 100
    deployments: [{{provider: outage, model: "*"}}]
    fallbacks: [spare]
  "caused/*":
    max_output_tokens: 100
    deployments: [{{provider: ill, model: "*", priority: 0}}, {well_one}]
    fallbacks: {{context_length: [long], content_policy: [lenient]}}
  "keyed/*": {{max_output_tokens: 100, deployments: [{{provider: keyed, model: "*"}}]}}
  "narrow/*": {{max_output_tokens: 100, deployments: [{{provider: narrow, model: "*"}}]}}
  "yielding/*":
    max_output_tokens: 100
    deployments: [{{provider: narrow, model: "*"}}]
    fallbacks: {{budget: [roomy]}}
  "busy/*": {{max_output_tokens: 100, deployments: [{{provider: busy, model: "*"}}]}}
  "aside/*": {{max_output_tokens: 100, deployments: [{{provider: aside, model: "*"}}]}}
  "minute/*": {{max_output_tokens: 100, deployments: [{{provider: minute, model: "*"}}]}}
  "two/*": {{max_output_tokens: 100, deployments: [{{provider: two, model: "*"}}]}}
  "brisk/*":
    max_output_tokens: 100
    timeout: {{connect: 0.3, first_byte: 0.2}}
    deployments: [{{provider: ill, model: "*", priority: 0}}, {well_one}]
  "hedged/*":
    max_output_tokens: 100
    hedge: true
    deployments: [{{provider: ill, model: "*", priority: 0}}, {well_one}]
  "claude/*": {{context_window: 200000, deployments: [{{provider: claude, model: "*"}}]}}
  "vectors/*":
    kind: embedding
    batch: {{size: {batch}, milliseconds: 5}}
    deployments: [{{provider: ill, model: "*"}}]
  "threes/*":
    kind: embedding
    batch: {{size: {together}, milliseconds: 1000}}
    deployments: [{{provider: ill, model: "*"}}]
  spare: {{max_output_tokens: 100, deployments: [{{provider: well, model: spare}}]}}
  long: {{max_output_tokens: 100, deployments: [{{provider: well, model: long}}]}}
  lenient: {{max_output_tokens: 100, deployments: [{{provider: well, model: lenient}}]}}
  roomy: {{max_output_tokens: 100, deployments: [{{provider: well, model: roomy}}]}}
prices: [{{model: "*", input: 1, output: 2}}]
tenants:
{tenants}
"""
WELL_ONE = '{provider: well, model: "*", priority: 1}'
TENANT = """
  {name}:
    limits: {limits}
    budgets: [{{amount: 1000, window: total, hard: true}}]
    policy: {policy}
    keys:
      - {{name: app, secret: {name}-key-0000000001}}
      - {{name: urgent, secret: {name}-key-0000000002, priority: 5}}
"""
OFF = '{cache: "off"}'
WIDE = "{rpm: 1000000}"
TENANTS = (
    ("hurried", WIDE, OFF),
    ("patient", WIDE, '{cache: "off", queue_seconds: 10, queue_length: 1000}'),
    ("flooding", WIDE, '{cache: "off", queue_seconds: 10, queue_length: 1000}'),
    ("alike", WIDE, "{cache: deterministic}"),
    ("hinting", WIDE, '{cache: "off", prompt_cache: auto}'),
    ("single", "{parallel: 1}", '{cache: "off", queue_seconds: 10}'),
    ("seldom", "{rpm: 1}", '{cache: "off", queue_seconds: 5}'),
    ("short", "{parallel: 1}", '{cache: "off", queue_seconds: 10, queue_length: 2}'),
)


@dataclass(frozen=True)
class Routed:
    """A gateway and the providers behind it."""

    gateway: GatewayServer
    ill: ProviderStub
    well: ProviderStub

    def caller(self, tenant: str, key: int = 1) -> Caller:
        """Whoever has a key of that tenant; its second one is served first."""
        return Caller(self.gateway, tenant, f"{tenant}-key-000000000{key}")


@pytest.fixture(scope="session")
def ill() -> Iterator[ProviderStub]:
    """A provider that does as tests say."""
    with ProviderStub(answer_any) as stub:
        yield stub


@pytest.fixture(scope="session")
def well() -> Iterator[ProviderStub]:
    """A provider that is there where the other one is not."""
    with ProviderStub(answer_any) as stub:
        yield stub


@pytest.fixture(scope="session")
def routing(ill: ProviderStub, well: ProviderStub) -> str:
    """The configuration of both gateways."""
    return routing_configuration(ill, well)


@pytest.fixture(scope="session")
def lasting_single(routing: str) -> Iterator[GatewayServer]:
    """One process on a database file, for the whole session."""
    with configured_gateway(routing, **breakers()) as gateway:
        yield gateway
        assert mistakes(gateway) == []


@pytest.fixture(scope="session")
def lasting_fleet(routing: str) -> Iterator[GatewayServer]:
    """Three processes on Redis and PostgreSQL, for the whole session."""
    with configured_fleet(routing, webs=3, **breakers()) as gateway:
        yield gateway
        assert mistakes(gateway) == []


@pytest.fixture(scope="module")
def routed_single(
    request: pytest.FixtureRequest, lasting_single: GatewayServer, ill: ProviderStub, well: ProviderStub
) -> Iterator[Routed]:
    """One process on a database file."""
    with lent(lasting_single, request) as gateway:
        yield Routed(gateway, ill, well)


@pytest.fixture(scope="module")
def routed_fleet(
    request: pytest.FixtureRequest, lasting_fleet: GatewayServer, ill: ProviderStub, well: ProviderStub
) -> Iterator[Routed]:
    """Three processes on Redis and PostgreSQL."""
    with lent(lasting_fleet, request) as gateway:
        yield Routed(gateway, ill, well)


def routing_configuration(ill: ProviderStub, well: ProviderStub) -> str:
    """The configuration with both providers' addresses."""
    tenants = "".join(
        TENANT.format(name=name, limits=limits, policy=policy) for name, limits, policy in TENANTS
    )
    return CONFIGURATION.format(
        ill=ill.url(),
        ill_claude=ill.url("/claude"),
        well=well.url(),
        well_one=WELL_ONE,
        bad=BAD_SECRET,
        good=GOOD_SECRET,
        parallel=PARALLEL,
        rpm=RPM,
        places=PLACES,
        batch=BATCH,
        together=TOGETHER,
        tenants=tenants,
    )


def breakers() -> dict[str, Any]:
    """Settings by which breakers open soon, and not for long."""
    return {"CIRCUIT_BREAKER_FAILURE_THRESHOLD": str(THRESHOLD), "CIRCUIT_BREAKER_TIMEOUT": str(REST)}
