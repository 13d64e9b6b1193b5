"""Providers of another format behind the same methods."""

from decimal import Decimal

import pytest

from gateway.errors import NoProvider
from tests.gateway.sdk.conftest import Make, entry
from tests.support.anthropic_scripts import answer_anthropic
from tests.support.caller import fresh
from tests.support.provider_scripts import fails
from tests.support.provider_stub import ProviderStub


@pytest.mark.slow
async def test_anthropic_answers_in_its_own_format(make: Make, stub: ProviderStub) -> None:
    name = fresh("claude")
    stub.script(name, answer_anthropic)
    address = stub.url().removesuffix("/v1")
    listed = [entry(stub, name, model=f"anthropic/{name}", api_base=address, input_cost_per_token="3e-06")]
    gateway = make(model_list=listed)
    answer = await gateway.generate_async("hello", model=name, max_tokens=20)
    heard = stub.heard(name)[0]
    assert (heard.path, heard.headers["x-api-key"]) == ("/v1/messages", "sk-alice")
    assert answer.text
    assert answer.cost == Decimal("0.000003") * answer.usage["prompt_tokens"]
    pieces = [piece async for piece in gateway.generate_stream("hello", model=name, max_tokens=20)]
    assert "".join(pieces) == answer.text


@pytest.mark.slow
def test_one_format_may_stand_in_for_another(make: Make, stub: ProviderStub) -> None:
    name, spare = fresh("m"), fresh("claude")
    stub.script(name, fails(500))
    stub.script(spare, answer_anthropic)
    listed = [entry(stub, name), entry(stub, spare, model=f"anthropic/{spare}")]
    gateway = make(model_list=listed, fallbacks=[spare], max_retries=1)
    assert gateway.generate("hello", model=name).model == spare


def test_a_host_without_embeddings_says_so(make: Make, stub: ProviderStub) -> None:
    name = fresh("claude")
    listed = [{**entry(stub, name, model=f"anthropic/{name}"), "model_info": {"mode": "embedding"}}]
    with pytest.raises(NoProvider):
        make(model_list=listed).embed("hello", model=name)
    assert stub.heard(name) == []
