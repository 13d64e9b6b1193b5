"""The least that a gateway of a test's own is configured with, in parts that are put together."""

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS

INPUT_NANO, OUTPUT_NANO = 1_000, 2_000
"""What a token costs, of the prompt and of the answer."""
CALL_NANO = PROMPT_TOKENS * INPUT_NANO + COMPLETION_TOKENS * OUTPUT_NANO
"""What a call costs whose answer is one of `tests/support/provider_scripts.py`."""

ECHO = """
providers: {echo: {wire: echo}}
models: {echo: {max_output_tokens: 100, deployments: [{provider: echo}]}}
prices: [{provider: echo, model: "*", input: 1, output: 2}]
"""
ACME = """
tenants:
  acme:
    budgets: [{amount: 1000, window: total, hard: true}]
    keys: [{name: app, secret: acme-key-0000000001}]
"""
_STUB = """
providers: {{stub: {{wire: openai, base_url: "{url}", timeout: {timeout}}}}}
models: {{"stub/*": {{max_output_tokens: 100, deployments: [{{provider: stub, model: "*"}}]}}}}
prices: [{{provider: stub, model: "*", input: 1, output: 2}}]
"""


def stub_at(url: str, *, timeout: str = "{}") -> str:
    """A provider at that address, which has a model of every name under `stub/`."""
    return _STUB.format(url=url, timeout=timeout)


def acme_at(gateway: GatewayServer) -> Caller:
    """Someone with the key of that tenant."""
    return Caller(gateway, "acme", "acme-key-0000000001")
