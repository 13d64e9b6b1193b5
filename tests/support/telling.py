"""A gateway with limits of all kinds, and what its telling doors say, read by name."""

from typing import Any

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer
from tests.support.plain_doors import PlainDoor
from tests.support.raw_http import Answer, exchange, request_bytes

CONFIGURATION = """
providers:
  near: {{wire: openai, base_url: "{url}", security: high, default_model: llama}}
  far: {{wire: openai, base_url: "https://far.example.com/v1", default_model: near-chat}}
  declared: {{wire: openai, base_url: "https://declared.example.com/v1", type: local, security: low}}
  owned: {{wire: openai, base_url: "{url}", tenant: other}}
models:
  "near/*": {{max_output_tokens: 100, deployments: [{{provider: near, model: "*"}}]}}
  near-chat:
    context_window: 8192
    max_output_tokens: 100
    capabilities: [tools]
    deployments: [{{provider: near, model: llama}}, {{provider: owned, model: llama, priority: 1}}]
  far-chat: {{max_output_tokens: 100, deployments: [{{provider: far}}]}}
  declared-chat: {{max_output_tokens: 100, deployments: [{{provider: declared}}]}}
  owned-chat: {{max_output_tokens: 100, deployments: [{{provider: owned}}]}}
aliases: {{swift: near-chat}}
defaults: {{chat: near-chat}}
prices:
  - {{provider: near, model: "*", input: 1, output: 2}}
  - {{provider: far, model: "*", input: 1, output: 2}}
  - {{provider: declared, model: "*", input: 1, output: 2}}
  - {{provider: owned, model: "*", input: 1, output: 2}}
limit_classes:
  standard: {{rpm: 2, cooldown_seconds: 600}}
tenants:
  acme:
    limits: {{rpm: 1000, tpd: 100000, parallel: 50}}
    budgets:
      - {{amount: 1, window: month, hard: true}}
      - {{amount: 0.5, window: total, hard: false, model: far-chat}}
    contract: {{markup_bps: 5000}}
    policy: {{cache: "off"}}
    projects: {{search: {{limits: {{rph: 500}}}}}}
    keys:
      - name: app
        secret: acme-key-0000000001
        limits: {{rpm: 900, burst: {{calls: 100, seconds: 5}}}}
        per_user: {{class: standard}}
      - {{name: narrow, secret: narrow-key-0000000001, models: [far-chat, "near/x"]}}
      - {{name: owning, secret: owning-key-0000000001, roles: [owner]}}
      - {{name: building, secret: building-key-0000000001, roles: [developer, finance, viewer]}}
      - {{name: searching, project: search, secret: searching-key-0000000001}}
  other:
    policy: {{cache: "off"}}
    keys: [{{name: app, secret: other-key-0000000001}}]
platform:
  keys:
    - {{name: ops, secret: ops-key-0000000001, roles: [operator], tenants: [acme]}}
    - {{name: billing, secret: billing-key-0000000001, roles: [finance], tenants: [acme]}}
"""
QUERY = PlainDoor(path="/query", dialect="query")
TELLING = [
    "/api/v1/gateway/providers",
    "/api/v1/gateway/rate-limits",
    "/api/v1/models",
    "/api/v1/models/near-chat",
    "/api/v1/health/detailed",
    "/api/v1/usage",
    "/api/v1/usage/stats",
    "/providers",
    "/rate-limit/status",
    "/cache/status",
    "/health/detailed",
]


def keyed(gateway: GatewayServer, name: str, tenant: str = "acme") -> Caller:
    """Whoever has this key."""
    return Caller(gateway, tenant, f"{name}-key-0000000001")


def read(caller: Caller, path: str, **headers: str) -> Answer:
    """What is told at an address."""
    return exchange(caller.gateway.port, request_bytes("GET", path, caller.headers(**headers)), "GET")


def providers(caller: Caller) -> dict[str, Any]:
    """Those of the third dialect by name."""
    return {one["name"]: one for one in read(caller, "/providers").json()["providers"]}


def limits(caller: Caller, path: str = "/rate-limit/status") -> dict[str, Any]:
    """A caller's limits by scope, unit and window."""
    told = read(caller, path).json()
    listed = told["data"]["limits"] if "data" in told else told["limits"]
    return {f"{one['scope']} {one['unit']} {one['window']}{one.get('model', '')}": one for one in listed}


def reset(caller: Caller, body: bytes = b"", **headers: str) -> Answer:
    """Have limits begin anew."""
    return caller.post(body, path="/admin/reset-limits", **headers)
