"""Identical calls under way, texts that travel together, and beginnings that providers keep."""

import asyncio
from typing import Any

import pytest

from gateway import LiteLLMGateway
from gateway.errors import ProviderMalformed
from tests.gateway.sdk.conftest import Make, entry
from tests.support.caller import fresh
from tests.support.provider_scripts import USAGE, VECTOR, completion, replies
from tests.support.provider_stub import ProviderStub
from tests.support.waiting import eventually

LIMITS = {"concurrent_requests": 10}


def under_way(gateway: LiteLLMGateway) -> int:
    limiters = gateway.rate_limiters
    assert limiters is not None
    used: int = limiters["default"][0]["used"]
    return used


async def both(gateway: LiteLLMGateway, stub: ProviderStub, name: str, **options: Any) -> list[str]:
    """The texts of two calls alike; the provider answers once both are under way."""
    stub.script(name, replies(completion(), gated=True))
    calls = [asyncio.ensure_future(gateway.generate_async("hi", model=name, **options)) for _ in range(2)]
    assert await asyncio.to_thread(eventually, lambda: under_way(gateway) == 2)
    for _ in range(2):
        stub.gate(name).open()
    return [answer.text for answer in await asyncio.gather(*calls)]


async def test_identical_calls_under_way_are_made_once_and_not_kept(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gateway = make(name, enable_request_deduplication=True, rate_limit_config=LIMITS)
    assert await both(gateway, stub, name, temperature=1) == ["Hello wide world"] * 2
    assert len(stub.heard(name)) == 1
    assert gateway.deduplicator is not None
    assert (gateway.deduplicator.shared, gateway.deduplicator.in_flight) == (1, 0)
    stub.gate(name).open()
    await gateway.generate_async("hi", model=name, temperature=1)
    assert len(stub.heard(name)) == 2
    assert gateway.get_usage_stats()["cached_requests"] == 1


async def test_without_it_each_call_is_made(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config=LIMITS)
    await both(gateway, stub, name, temperature=0)
    assert len(stub.heard(name)) == 2


async def test_texts_for_vectors_travel_together(make: Make, stub: ProviderStub) -> None:
    name = fresh("text-embedding")
    gateway = make(name, enable_request_batching=True, batch_size=2, batch_timeout=30)
    answers = await asyncio.gather(*(gateway.embed_async(text, model=name) for text in ("one", "two")))
    assert [answer.embeddings for answer in answers] == [[VECTOR], [VECTOR]]
    assert [heard.member("input") for heard in stub.heard(name)] in (["one", "two"], [["one", "two"]])
    assert len(stub.heard(name)) == 1
    assert sum(answer.usage["total_tokens"] for answer in answers) == 11
    batcher = gateway.batcher
    assert batcher is not None
    assert (batcher.batch_size, batcher.batch_timeout, batcher.batches, batcher.batched) == (2, 30, 1, 2)


async def test_a_text_alone_waits_no_longer_than_told(make: Make, stub: ProviderStub) -> None:
    name = fresh("text-embedding")
    gateway = make(name, enable_request_batching=True, batch_timeout=0.001)
    assert (await gateway.embed_async("one", model=name)).embeddings == [VECTOR]
    assert stub.heard(name)[0].member("input") == ["one"]


@pytest.mark.parametrize(("ttl", "life"), [(300, {}), (3600, {"ttl": "1h"})])
def test_anthropic_is_asked_to_keep_what_prompts_begin_with(
    make: Make, stub: ProviderStub, ttl: int, life: dict[str, str]
) -> None:
    name = fresh("claude")
    listed = [entry(stub, name, model=f"anthropic/{name}")]
    gateway = make(model_list=listed, enable_kv_cache=True, kv_cache_ttl=ttl, max_retries=1)
    with pytest.raises(ProviderMalformed):  # the stub speaks another format
        gateway.generate("hi", model=name)
    (block,) = stub.heard(name)[0].member("messages")[0]["content"]
    assert block["cache_control"] == {"type": "ephemeral"} | life


def test_what_providers_had_kept_is_told(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    counted = USAGE | {"prompt_tokens_details": {"cached_tokens": 8}}
    stub.script(name, replies(completion(usage=counted)))
    gateway = make(name, enable_kv_cache=True)
    gateway.generate("hi", model=name)
    assert gateway.kv_cache is not None
    assert gateway.kv_cache.ttl == 3600
    told = {"prompt_tokens": 11, "cache_read_tokens": 8, "cache_write_tokens": 0}
    assert gateway.kv_cache.stats("default") == gateway.kv_cache.stats() == told


def test_conversations_that_begin_alike_keep_to_one_deployment(make: Make, stub: ProviderStub) -> None:
    name, others = fresh("m"), [fresh("up") for _ in range(4)]
    listed = [entry(stub, one, model=f"openai/{one}") | {"model_name": name} for one in others]
    gateway = make(model_list=listed, enable_kv_cache=True)
    for _ in range(6):
        gateway.generate("hi", model=name, system="You are a long book. " * 20)
    assert sorted(len(stub.heard(one)) for one in others) == [0, 0, 0, 6]
