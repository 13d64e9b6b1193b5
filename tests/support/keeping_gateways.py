"""A gateway that keeps answers for several tenants, each by a policy of its own."""

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer

CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{url}"}}
  claude: {{wire: anthropic, base_url: "{claude}"}}
  echo: {{wire: echo}}
models:
  "stub/*": {{max_output_tokens: 100, deployments: [{{provider: stub, model: "*"}}]}}
  "claude/*": {{context_window: 200000, deployments: [{{provider: claude, model: "*"}}]}}
  vectors: {{kind: embedding, deployments: [{{provider: stub, model: vectors}}]}}
  echo-embedding: {{kind: embedding, deployments: [{{provider: echo}}]}}
defaults: {{chat: stub/default, embedding: echo-embedding}}
prices:
  - {{provider: stub, model: "*", input: 1, output: 2}}
  - {{provider: claude, model: "*", input: 1, output: 2}}
  - {{provider: echo, model: "*", input: 1, output: 2}}
tenants:
  cold:
    budgets: [{{amount: 100, window: total, hard: true}}]
    keys:
      - {{name: app, secret: cold-key-0000000001}}
      - {{name: boss, secret: boss-key-0000000001, roles: [owner]}}
      - {{name: reader, secret: reader-key-0000000001, roles: [viewer]}}
  other:
    keys: [{{name: app, secret: other-key-0000000001, roles: [owner]}}]
  warm:
    policy: {{cache: all, cache_seconds: 600}}
    keys: [{{name: app, secret: warm-key-0000000001, roles: [owner]}}]
  closed:
    policy: {{cache: "off"}}
    keys: [{{name: app, secret: closed-key-0000000001}}]
  meaning:
    policy: {{semantic: {{model: vectors, threshold: 0.9}}}}
    keys: [{{name: app, secret: meaning-key-0000000001}}]
  few:
    limits: {{rpd: 3}}
    keys: [{{name: app, secret: few-key-0000000001}}]
platform:
  keys: [{{name: ops, secret: ops-key-0000000001, roles: [operator], tenants: all}}]
"""


def keyed(gateway: GatewayServer, name: str, tenant: str = "") -> Caller:
    """Whoever has this key."""
    return Caller(gateway, tenant or name, f"{name}-key-0000000001")
