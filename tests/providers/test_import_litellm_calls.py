"""What was imported takes calls: a key of LiteLLM's asks by an alias, and a fallback answers."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from channels.db import database_sync_to_async

from gateway.call import Call, Origin
from gateway.errors import UnknownModel
from gateway.ids import uuid7
from gateway.memory import GlassVault, MemoryBooks, MemoryCatalog, MemorySpill, NoCache
from gateway.pipeline import Gateway
from gateway.transport import HttpTransport
from providers.catalog import snapshot_build
from providers.configuration.apply import configuration_apply
from tenants.directory import DatabaseDirectory
from tenants.revision import current_revision
from tests.support.clock import FakeClock
from tests.support.engine import make_ask
from tests.support.litellm_files import imported
from tests.support.provider_scripts import answer_honestly, fails
from tests.support.provider_stub import ProviderStub

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "sk-virtual-key-of-alice"
PROXY = """
model_list:
  - model_name: large
    litellm_params: {{model: openai/large-there, api_base: "{url}", api_key: sk-of-large}}
    model_info: {{input_cost_per_token: 0.00001, output_cost_per_token: 0.00002}}
  - model_name: small
    litellm_params:
      model: hosted_vllm/small-there
      api_base: "{url}"
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
  - model_name: private
    litellm_params: {{model: openai/private-there, api_base: "{url}"}}
router_settings:
  model_group_alias: {{best: large}}
  fallbacks: [{{large: [small]}}]
"""


@pytest.fixture
def stub() -> Iterator[ProviderStub]:
    with ProviderStub(answer_honestly) as provider:
        yield provider


def silent(_: str) -> None:
    """Nobody reads the reports."""


def make(stub: ProviderStub) -> tuple[MemoryCatalog, int]:
    token = hashlib.sha256(KEY.encode()).hexdigest()
    keys = [{"token": token, "key_alias": "alice", "models": ["best", "large", "small"], "max_budget": 1}]
    result = imported(PROXY.format(url=stub.url()), keys=keys)
    configuration_apply(text=result.text())
    return MemoryCatalog(snapshot_build(report=silent)), current_revision()


async def gateway_of(stub: ProviderStub, transport: HttpTransport) -> tuple[Gateway, MemoryBooks]:
    catalog, revision = await database_sync_to_async(make)(stub)
    clock = FakeClock(datetime.now(UTC).timestamp())
    books = MemoryBooks(clock)  # type: ignore[arg-type]  # a clock of tests stands still
    gateway = Gateway(
        books=books,
        spill=MemorySpill(),
        vault=GlassVault(),
        directory=DatabaseDirectory(clock=clock, revision=lambda: revision),
        catalog=catalog,
        cache=NoCache(),
        clock=clock,
        transport_for=lambda _: transport,
        random=Random(1),
    )
    return gateway, books


def call(gateway: Gateway, model: str) -> Call:
    origin = Origin(credential=KEY, request_id="r-1")
    ask = make_ask(model=model, max_tokens=50)
    return Call(id=uuid7(), ask=ask, origin=origin, started=gateway.clock.monotonic())


async def test_a_key_asks_by_an_alias_and_a_fallback_answers(stub: ProviderStub) -> None:
    stub.script("large-there", fails(401))
    transport = HttpTransport()
    gateway, books = await gateway_of(stub, transport)
    outcome = await gateway.run(call(gateway, "best"))
    await transport.close()
    assert outcome.reply is not None
    assert json.loads(outcome.reply.body)["choices"][0]["message"]["content"]
    assert stub.heard("large-there")[0].headers["authorization"] == "Bearer sk-of-large"
    assert "authorization" not in stub.heard("small-there")[0].headers
    (entry,) = books.entries.values()
    assert (entry.tenant, entry.key, entry.model_asked) == ("default", "alice", "best")
    assert entry.provider == "hosted_vllm-127-0-0-1"
    assert entry.cost_nano == 11 * 1_000 + 7 * 2_000


async def test_a_model_that_the_key_could_not_reach_it_cannot_reach_now(stub: ProviderStub) -> None:
    transport = HttpTransport()
    gateway, books = await gateway_of(stub, transport)
    with pytest.raises(UnknownModel):
        await gateway.run(call(gateway, "private"))
    assert stub.heard_in_all() == 0
    assert books.entries == {}
