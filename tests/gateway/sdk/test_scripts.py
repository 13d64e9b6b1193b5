"""Plain scripts in processes of their own: what documents print runs word for word, and leaves nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.support.provider_stub import ProviderStub

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

DRIVER = """
import ast, asyncio, inspect, json, sys
names = {"__name__": "__main__"}
for block in json.load(sys.stdin):
    code = compile(block, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    awaited = eval(code, names)
    if inspect.iscoroutine(awaited):
        asyncio.run(awaited)
foreign = {"django", "litellm", "redis", "psycopg"} & {name.partition(".")[0] for name in sys.modules}
print("\\nloaded:", sorted(foreign))
"""

FIRST = """
from gateway import LiteLLMGateway, GatewayConfig

# Create with default configuration
gateway = LiteLLMGateway()

# Or with custom configuration
config = GatewayConfig(
    timeout=120.0,
    max_retries=5,
)
gateway = LiteLLMGateway(config=config)
"""
GENERATION = """
# Synchronous generation
response = gateway.generate(
    prompt="Explain quantum computing",
    model="gpt-4",
    temperature=0.7,
    max_tokens=500
)
print(response.text)

# Asynchronous generation (recommended)
response = await gateway.generate_async(
    prompt="Explain quantum computing",
    model="gpt-4"
)
print(response.text)
"""
STREAMING = """
# Streaming for real-time responses
async for chunk in gateway.generate_stream(
    prompt="Tell me a story about AI",
    model="gpt-4"
):
    print(chunk, end="", flush=True)
"""
EMBEDDING = """
# Generate embeddings
response = await gateway.embed_async(
    text="This is a sample text",
    model="text-embedding-ada-002"
)
embeddings = response.embeddings[0]  # First embedding vector
print(embeddings)

# Batch embeddings
response = await gateway.embed_async(
    text=["Text 1", "Text 2", "Text 3"],
    model="text-embedding-ada-002"
)
print(len(response.embeddings))
"""
PROVIDERS = """
config = GatewayConfig(
    model_list=[
        {
            "model_name": "gpt-4",
            "litellm_params": {
                "model": "openai/gpt-4",
                "api_key": "your-openai-key"
            }
        },
        {
            "model_name": "claude-3",
            "litellm_params": {
                "model": "anthropic/claude-3-opus",
                "api_key": "your-anthropic-key"
            }
        }
    ],
    fallbacks=["gpt-3.5-turbo"]  # Fallback if primary fails
)

gateway = LiteLLMGateway(config=config)

# Gateway automatically routes to appropriate provider
response = await gateway.generate_async("Hello", model="gpt-4")
print(response.text)
"""
LIMITS = """
from gateway import RateLimitConfig

config = GatewayConfig(
    enable_rate_limiting=True,
    rate_limit_config=RateLimitConfig(
        requests_per_minute=60,
        requests_per_hour=1000
    )
)

gateway = LiteLLMGateway(config=config)

# Rate limiting is applied per tenant_id
response = await gateway.generate_async(
    prompt="Hello",
    tenant_id="tenant_123"  # Rate limits scoped per tenant
)
"""
CACHING = """
from gateway import CacheConfig

config = GatewayConfig(
    enable_caching=True,
    cache_ttl=3600,  # Cache for 1 hour
    cache_config=CacheConfig(
        backend="memory"
    )
)

gateway = LiteLLMGateway(config=config)

# First call - hits LLM
response1 = await gateway.generate_async("What is AI?")

# Second call - returns cached result (faster, cheaper)
response2 = await gateway.generate_async("What is AI?")
print(response1.text == response2.text)
"""
HEALTH = """
# Check gateway health
health = gateway.check_health()

if health.status == "healthy":
    print("Gateway is operational")
else:
    print(f"Issues: {health.details}")

# Get usage statistics
stats = gateway.get_usage_stats(tenant_id="tenant_123")
print(f"Total requests: {stats['total_requests']}")
print(f"Total cost: ${stats['total_cost']:.2f}")
"""


def run(blocks: list[str], tmp_path: Path, **environment: str) -> str:
    """What they print, one after the other in one process where every warning is an error."""
    known = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRIVER],
        cwd=tmp_path,
        env=known | environment,
        input=json.dumps(blocks),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_examples_of_the_class_run_word_for_word(stub: ProviderStub, tmp_path: Path) -> None:
    told = run(
        [FIRST, GENERATION, STREAMING, EMBEDDING, PROVIDERS, CACHING, LIMITS, HEALTH],
        tmp_path,
        OPENAI_API_KEY="sk-alice",
        OPENAI_API_BASE=stub.url(),
    )
    assert told.splitlines() == [
        "Hello wide world",
        "Hello wide world",
        "Hello wide world[0.25, -0.5]",
        "3",
        "Hello wide world",
        "True",
        "Gateway is operational",
        "Total requests: 1",
        "Total cost: $0.00",
        "",
        "loaded: []",
    ]
    keys = {heard.headers["authorization"] for heard in stub.heard("gpt-4")}
    assert keys == {"Bearer sk-alice", "Bearer your-openai-key"}


def test_the_examples_in_our_own_document_run(tmp_path: Path) -> None:
    *blocks, service = _BLOCK.findall((ROOT / "docs/python.md").read_text())
    assert "create_gateway_service(" in service
    told = run(blocks, tmp_path)
    assert "Explain quantum computing" in told
    assert "Total requests: 1, total cost: $0.00" in told
    assert "healthy ['gpt-4', 'claude-3', 'local']" in told
    assert told.endswith("loaded: []\n")


@pytest.mark.parametrize(
    "left",
    [
        "gateway.generate('hello', model='echo/echo')",
        "pieces = gateway.generate('hello there', model='echo/echo', stream=True); next(pieces)",
        "gateway.close(); gateway.close()",
        "async def leave():\n    async for _ in gateway.generate_stream('hello there', model='echo/echo'):\n"
        "        break\nasyncio.run(leave())",
    ],
)
def test_a_script_that_just_ends_leaves_no_thread_and_no_warning(tmp_path: Path, left: str) -> None:
    run([f"import asyncio\nfrom gateway import LiteLLMGateway\ngateway = LiteLLMGateway()\n{left}"], tmp_path)


def test_a_process_that_was_forked_off_is_told_to_make_its_own(tmp_path: Path) -> None:
    script = """
import os
from gateway import LiteLLMGateway
from gateway.errors import GatewayError

gateway = LiteLLMGateway()
gateway.generate("hello", model="echo/echo")
if child := os.fork():
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
else:
    try:
        gateway.generate("hello", model="echo/echo")
    except GatewayError as error:
        os._exit(7 if error.code == "gateway_closed" else 1)
"""
    run([script], tmp_path)


def test_the_package_itself_loads_nothing_of_the_class(tmp_path: Path) -> None:
    told = run(
        ["import gateway, sys\nprint([n for n in sys.modules if n.startswith(('gateway.', 'pyd'))])"],
        tmp_path,
    )
    assert told.splitlines()[0] == "[]"
