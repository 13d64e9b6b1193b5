"""Texts and vectors for a script: what is asked, what comes back, what it cost."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import FailedValidation, GatewayError, InvalidRequest, ProviderRejected, UnknownModel
from tests.gateway.sdk.conftest import Make, entry
from tests.support.caller import fresh
from tests.support.provider_scripts import PIECES, USAGE, VECTOR, completion, fails, replies, streams
from tests.support.provider_stub import ProviderStub

PRICED = {"input_cost_per_token": 0.00003, "output_cost_per_token": "6e-05"}
"""11 tokens in and 7 out are 330 + 420 millionths of a dollar."""


def test_a_text_comes_with_its_model_usage_end_and_raw_answer(make: Make) -> None:
    name = fresh("m")
    answer = make(name).generate("Say hello", model=name)
    assert (answer.text, answer.model, answer.finish_reason) == ("Hello wide world", name, "stop")
    assert answer.usage == USAGE
    assert answer.raw_response["choices"][0]["message"]["content"] == answer.text


def test_options_go_to_the_provider_as_they_are(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    functions = [{"name": "weather", "parameters": {"type": "object"}}]
    make(name).generate(
        "hello", model=name, temperature=0.7, max_tokens=5, functions=functions, top_k=3, tenant_id="a"
    )
    (heard,) = stub.heard(name)
    assert heard.asked == {
        "model": name,
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.7,
        "max_tokens": 5,
        "functions": functions,
        "top_k": 3,
    }
    assert heard.headers["authorization"] == "Bearer sk-alice"


def test_a_system_prompt_stands_before_the_prompt(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    make(name).generate("hello", model=name, system="be short")
    assert [one["role"] for one in stub.heard(name)[0].member("messages")] == ["system", "user"]


def test_who_names_no_model_gets_the_first_of_the_kind(make: Make, stub: ProviderStub) -> None:
    first, vectors = fresh("m"), fresh("text-embedding")
    gateway = make(first, fresh("m"), vectors)
    assert gateway.generate("hello").model == first
    assert gateway.embed("hello").model == vectors


def test_a_default_that_is_told_goes_first(make: Make) -> None:
    name = fresh("m")
    assert make(fresh("m"), name, default_model=name).generate("hello").model == name


@pytest.mark.parametrize("texts", ["one", ["one", "two", "three"]])
async def test_vectors_come_in_the_order_of_their_texts(make: Make, texts: str | list[str]) -> None:
    name = fresh("text-embedding")
    answer = await make(name).embed_async(texts, model=name)
    assert answer.embeddings == [VECTOR] * (1 if isinstance(texts, str) else 3)
    assert answer.usage["total_tokens"] == 11


def test_options_of_vectors_go_to_the_provider(make: Make, stub: ProviderStub) -> None:
    name = fresh("text-embedding")
    make(name).embed("one", model=name, dimensions=2)
    assert stub.heard(name)[0].member("dimensions") == 2


def test_a_model_says_what_it_is_for_where_its_name_does_not(make: Make, stub: ProviderStub) -> None:
    name = fresh("bge")
    listed = [{**entry(stub, name), "model_info": {"mode": "embedding", "supports_vision": False}}]
    assert make(model_list=listed).embed("hello", model=name).embeddings == [VECTOR]


def test_costs_are_exact_to_the_last_nano_dollar(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    answer = make(model_list=[entry(stub, name, **PRICED)]).generate("hello", model=name)
    assert (answer.cost, answer.priced) == (Decimal("0.00075"), True)


@pytest.mark.parametrize("key", ["{}", "openai/{}"])
def test_a_price_list_goes_before_what_stands_with_the_model(
    make: Make, stub: ProviderStub, key: str
) -> None:
    name = fresh("m")
    prices = {key.format(name): {"input": 0.15, "output": "0.60"}}
    gateway = make(model_list=[entry(stub, name, **PRICED)], prices=prices)
    assert gateway.generate("hello", model=name).cost == Decimal("0.00000585")


def test_without_a_price_a_call_costs_nothing_and_says_so(make: Make) -> None:
    name = fresh("m")
    gateway = make(name)
    answer = gateway.generate("hello", model=name)
    assert (answer.cost, answer.priced) == (Decimal(0), False)
    assert gateway.get_usage_stats()["unpriced_requests"] == 1


def test_a_stream_is_priced_by_the_providers_own_counts(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gateway = make(model_list=[entry(stub, name, **PRICED)])
    assert "".join(gateway.generate("hello", model=name, stream=True)) == "".join(PIECES)
    assert gateway.get_usage_stats()["total_cost"] == Decimal("0.00075")


async def test_a_stream_comes_piece_by_piece(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, streams(gated=True))
    heard = make(name).generate_stream("hello", model=name)
    for piece in PIECES:
        stub.gate(name).open()
        assert await anext(heard) == piece
    stub.gate(name).open()
    assert [piece async for piece in heard] == []


async def test_an_async_call_may_stream_too(make: Make) -> None:
    name = fresh("m")
    pieces = await make(name).generate_async("hello", model=name, stream=True)
    assert "".join([piece async for piece in pieces]) == "".join(PIECES)


async def test_who_stops_listening_ends_the_call(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, streams(gated=True))
    gateway = make(name)
    stub.gate(name).open()
    heard = gateway.generate_stream("hello", model=name)
    assert await anext(heard) == PIECES[0]
    await heard.aclose()
    assert stub.wait_for(lambda: stub.heard(name)[0].left)


def test_a_loop_that_is_left_ends_the_call(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, streams(gated=True))
    stub.gate(name).open()
    gateway = make(name)
    for _ in gateway.generate("hello", model=name, stream=True):
        break
    assert stub.wait_for(lambda: stub.heard(name)[0].left)


def test_a_stream_that_breaks_gives_what_came_and_then_the_error(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, streams(cut_after=2))
    heard: list[str] = []
    with pytest.raises(GatewayError) as caught:
        heard.extend(make(name).generate("hello", model=name, stream=True))
    assert ("".join(heard), caught.value.code) == ("".join(PIECES[:2]), "provider_cut")


def test_a_cancelled_call_ends_at_the_provider(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, replies(completion(), gated=True))
    gateway = make(name)

    async def give_up() -> None:
        call = asyncio.create_task(gateway.generate_async("hello", model=name))
        assert await asyncio.to_thread(stub.wait_for, lambda: bool(stub.heard(name)))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(give_up())
    assert stub.wait_for(lambda: stub.heard(name)[0].left)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"tenant_id": 7}, "tenant_id"),
        ({"timeout": 0}, "timeout"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"messages": []}, "messages"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    make: Make, options: dict[str, Any], param: str
) -> None:
    gateway = make(fresh("m"))
    with pytest.raises(InvalidRequest) as caught:
        gateway.generate(**{"prompt": "hello"} | options)
    assert (caught.value.param, gateway.get_usage_stats()["total_requests"]) == (param, 0)


def test_what_json_cannot_say_is_refused(make: Make) -> None:
    with pytest.raises(FailedValidation):
        make(fresh("m")).generate("hello", stop=object())


@pytest.mark.parametrize("text", ["", [], [""], [1]])
def test_vectors_of_nothing_are_refused(make: Make, text: Any) -> None:
    with pytest.raises(InvalidRequest):
        make(fresh("text-embedding")).embed(text)


def test_unknown_models_are_errors_with_a_code_and_a_status(make: Make) -> None:
    with pytest.raises(UnknownModel) as caught:
        make(fresh("m")).generate("hello", model="nobody")
    assert (caught.value.code, caught.value.status) == ("model_not_found", 404)


def test_what_a_provider_rejects_is_told(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, fails(400, message="temperature is too high"))
    with pytest.raises(ProviderRejected, match="temperature is too high"):
        make(name).generate("hello", model=name)


@pytest.mark.parametrize("part", ["config", "router", "circuit_breaker", "llmops", "health_check"])
def test_the_parts_that_are_here_can_be_looked_at(make: Make, part: str) -> None:
    assert getattr(make(fresh("m")), part) is not None


SWITCHED: dict[str, dict[str, Any]] = {
    "rate_limiters": {"rate_limit_config": {"requests_per_minute": 5}},
    "deduplicator": {"enable_request_deduplication": True},
    "batcher": {"enable_request_batching": True},
    "cache": {"enable_caching": True},
    "kv_cache": {"enable_kv_cache": True},
    "validation_manager": {"enable_validation": True},
    "feedback_loop": {"enable_feedback_loop": True},
}


@pytest.mark.parametrize("part", SWITCHED)
def test_a_part_is_there_where_its_feature_is_on(make: Make, part: str) -> None:
    assert getattr(make(fresh("m")), part) is None
    assert getattr(make(fresh("m"), **SWITCHED[part]), part) is not None


def test_all_features_work_together(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    fields: dict[str, Any] = {field: value for told in SWITCHED.values() for field, value in told.items()}
    gateway = make(name, **fields)
    for _ in range(2):
        assert gateway.generate("hello", model=name).text == "Hello wide world"
    assert "".join(gateway.generate("hello", model=name, stream=True)) == "Hello wide world"
    assert gateway.check_health().status == "healthy"
