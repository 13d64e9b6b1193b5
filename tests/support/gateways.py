"""Two gateways and one provider for all tests of a process; each file calls as a tenant of its own.

Models under `stub/` and its like exist under any name, so that each test makes up one of its own, scripts
it, and finds its calls, its bill and its breaker unmixed.
"""

from collections.abc import Iterator

import pytest

from tests.support.gateway_server import GatewayServer, configured_fleet, configured_gateway
from tests.support.lasting import lent
from tests.support.provider_kinds import answer_any
from tests.support.provider_stub import ProviderStub

PROVIDER_SECRET = "made-up-secret-of-the-provider"
BODY_LIMIT = 4 * 1024 * 1024
PAGE = "https://app.example.com"
"""Where a web page is that may call."""

CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{stub}", keys: [{{name: main, secret: {secret}}}]}}
  native: {{wire: openai, base_url: "{stub}", has_responses: true, default_model: native/own}}
  spare: {{wire: openai, base_url: "{spare}"}}
  hasty: {{wire: openai, base_url: "{stub}", timeout: {{connect: 1, first_byte: 0.3, idle: 0.3, total: 5}}}}
  idle: {{wire: openai, base_url: "{idle}"}}
  gone: {{wire: openai, base_url: "http://127.0.0.1:9/v1"}}
  echo: {{wire: echo}}
  claude: {{wire: anthropic, base_url: "{claude}", keys: [{{name: main, secret: {secret}}}]}}
  claude-spare: {{wire: anthropic, base_url: "{claude_spare}"}}
models:
  "stub/*": {{max_output_tokens: 100, deployments: [{{provider: stub, model: "*"}}]}}
  "native/*": {{max_output_tokens: 100, deployments: [{{provider: native, model: "*"}}]}}
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
  "claude/*": {{context_window: 200000, deployments: [{{provider: claude, model: "*"}}]}}
  "claude-pair/*":
    deployments:
      - {{provider: claude, model: "*", priority: 0}}
      - {{provider: claude-spare, model: "*", priority: 1}}
  "idle/*": {{max_output_tokens: 100, deployments: [{{provider: idle, model: "*"}}]}}
  echo: {{max_output_tokens: 1000, deployments: [{{provider: echo}}]}}
  "meta/llama-3:8b": {{max_output_tokens: 1000, deployments: [{{provider: echo}}]}}
  echo-embedding: {{kind: embedding, deployments: [{{provider: echo}}]}}
  echo-image: {{kind: image, max_output_tokens: 100, deployments: [{{provider: echo}}]}}
  echo-audio: {{kind: audio, deployments: [{{provider: echo}}]}}
  echo-moderation: {{kind: moderation, deployments: [{{provider: echo}}]}}
  echo-rerank: {{kind: rerank, deployments: [{{provider: echo}}]}}
aliases: {{small: echo}}
defaults: {{chat: echo, embedding: echo-embedding}}
prices:
  - {{provider: stub, model: "*", input: 1, output: 2}}
  - {{provider: stub, model: "*", image: 0.04, image_out: 2, audio_second: 0.0001}}
  - {{provider: native, model: "*", input: 1, output: 2}}
  - {{provider: spare, model: "*", input: 1, output: 2}}
  - {{provider: idle, model: "*", input: 1, output: 2}}
  - {{provider: gone, model: "*", input: 1, output: 2}}
  - {{provider: hasty, model: "*", input: 1, output: 2}}
  - {{provider: echo, model: "*", input: 1, output: 2, image: 0.04}}
  - {{provider: claude, model: "*", input: 1, output: 2}}
  - {{provider: claude, model: "*", cache_read: 0.1, cache_write_5m: 1.25, cache_write_1h: 2}}
  - {{provider: claude-spare, model: "*", input: 1, output: 2}}
tenants:
{tenants}
"""
TENANTS = (
    "sdk",
    "passing",
    "careless",
    "leaving",
    "failing",
    "mended",
    "agent",
    "doors",
    "strangers",
    "plain",
    "talking",
    "clients",
)
TENANT = """
  {name}:
    limits: {{rpm: 100000, tpm: 100000000}}
    budgets: [{{amount: 1000, window: total, hard: true}}]
    policy: {{cache: "off"}}
    keys: [{{name: app, secret: {name}-key-0000000001}}]
"""
STRICT_TENANTS = """
  poor:
    budgets: [{amount: 0.000001, window: total, hard: true}]
    keys: [{name: app, secret: poor-key-0000000001}]
  spent:
    budgets: [{amount: 0.000001, window: total, hard: true}]
    keys: [{name: app, secret: spent-key-0000000001}]
  seldom:
    limits: {rpd: 1}
    keys: [{name: app, secret: seldom-key-0000000001}]
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
  scarce:
    budgets: [{amount: 0.001, window: total, hard: true}]
    keys: [{name: app, secret: scarce-key-0000000001}]
  narrow:
    keys: [{name: app, secret: narrow-key-0000000001, models: [echo]}]
"""


@pytest.fixture(scope="session")
def provider() -> Iterator[ProviderStub]:
    """A provider that answers honestly, unless a test scripts it."""
    with ProviderStub(answer_any) as stub:
        yield stub


@pytest.fixture(scope="session")
def configuration(provider: ProviderStub) -> str:
    """The tenants above, and the provider under all its names."""
    tenants = "".join(TENANT.format(name=name) for name in TENANTS) + STRICT_TENANTS
    urls = {"stub": provider.url(), "spare": provider.url("/spare"), "idle": provider.url(host="localhost")}
    urls |= {"claude": provider.url("/claude"), "claude_spare": provider.url("/claude-spare")}
    return CONFIGURATION.format(**urls, secret=PROVIDER_SECRET, tenants=tenants)


@pytest.fixture(scope="session")
def lasting_embedded(configuration: str) -> Iterator[GatewayServer]:
    """The gateway as one process, for the whole session."""
    with configured_gateway(
        configuration, GATEWAY_MAX_BODY_BYTES=str(BODY_LIMIT), GATEWAY_CORS_ORIGINS=PAGE
    ) as server:
        yield server
        assert mistakes(server) == []


@pytest.fixture(scope="session")
def lasting_distributed(configuration: str) -> Iterator[GatewayServer]:
    """The gateway as several processes, which take the calls in turn, for the whole session."""
    with configured_fleet(
        configuration, GATEWAY_MAX_BODY_BYTES=str(BODY_LIMIT), GATEWAY_CORS_ORIGINS=PAGE
    ) as server:
        yield server
        assert mistakes(server) == []


@pytest.fixture(scope="module")
def embedded_gateway(
    request: pytest.FixtureRequest, lasting_embedded: GatewayServer
) -> Iterator[GatewayServer]:
    """The gateway as one process."""
    with lent(lasting_embedded, request) as server:
        yield server


@pytest.fixture(scope="module")
def distributed_gateway(
    request: pytest.FixtureRequest, lasting_distributed: GatewayServer
) -> Iterator[GatewayServer]:
    """The gateway as several processes."""
    with lent(lasting_distributed, request) as server:
        yield server


def mistakes(server: GatewayServer) -> list[str]:
    """What it logged as an error."""
    logged = server.log.splitlines()
    return [line for line in logged if " ERROR " in line and "DisallowedHost" not in line]
