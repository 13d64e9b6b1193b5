"""OpenAI's own client works against the gateway as against OpenAI."""

import json
from array import array
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.provider_scripts import COMPLETION_TOKENS, PIECES, PROMPT_TOKENS, VECTOR, fails
from tests.support.provider_stub import ProviderStub
from tests.support.small_configurations import INPUT_NANO, OUTPUT_NANO

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "say it back, please"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("sdk")


@pytest.fixture
def client(caller: Caller) -> Iterator[openai.OpenAI]:
    with client_of(caller) as client:
        yield client


@pytest.fixture
async def async_client(caller: Caller) -> AsyncIterator[openai.AsyncOpenAI]:
    address = f"{caller.gateway.url}/v1"
    async with openai.AsyncOpenAI(base_url=address, api_key=caller.key, max_retries=0, timeout=15) as client:
        yield client


def client_of(caller: Caller, *, key: str = "", retries: int = 0) -> openai.OpenAI:
    address = f"{caller.gateway.url}/v1"
    return openai.OpenAI(base_url=address, api_key=key or caller.key, max_retries=retries, timeout=15)


def test_a_chat_is_answered_counted_and_charged(client: openai.OpenAI, caller: Caller) -> None:
    request = fresh("chat")
    answer = client.chat.completions.create(
        model="stub/chat", messages=HELLO, extra_headers={"X-Request-ID": request}
    )
    assert answer.choices[0].message.content == "Hello wide world"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == PROMPT_TOKENS
    assert answer.usage.model_dump()["from_cache"] is False
    row = caller.entry(request)
    assert (row.status, row.meters) == ("settled", {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS})
    assert row.charge_nano == PROMPT_TOKENS * INPUT_NANO + COMPLETION_TOKENS * OUTPUT_NANO


async def test_a_chat_is_answered_to_the_async_client(async_client: openai.AsyncOpenAI) -> None:
    answer = await async_client.chat.completions.create(model="echo", messages=HELLO)
    assert answer.choices[0].message.content == "say it back, please"
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream_has_no_usage_unless_asked_and_is_charged_all_the_same(
    client: openai.OpenAI, caller: Caller
) -> None:
    request = fresh("stream")
    named = {"X-Request-ID": request}
    with client.chat.completions.create(
        model="stub/stream", messages=HELLO, stream=True, extra_headers=named
    ) as stream:
        chunks = list(stream)
    assert all(chunk.choices for chunk in chunks)
    assert [chunk.choices[0].delta.content for chunk in chunks[:-1]] == list(PIECES)
    row = caller.entry(request)
    assert (row.status, bool(row.estimated)) == ("settled", False)
    assert row.meters == {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}


async def test_a_stream_ends_with_usage_where_asked(async_client: openai.AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(
        model="stub/stream", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    async with stream:
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "".join(PIECES)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == COMPLETION_TOKENS


def test_a_tool_is_called_and_its_result_taken(client: openai.OpenAI) -> None:
    messages = list(HELLO)
    first = client.chat.completions.create(model="echo", messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    call = (first.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "echo"})
    messages.append(
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        }
    )
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})
    last = client.chat.completions.create(model="echo", messages=messages, tools=[WEATHER])
    assert (last.choices[0].finish_reason, last.choices[0].message.content) == ("stop", "sunny")


def test_a_streamed_tool_call_comes_whole(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="echo", messages=HELLO, tools=[WEATHER], stream=True) as stream:
        deltas = [delta for chunk in stream for delta in chunk.choices[0].delta.tool_calls or []]
    assert "".join(delta.function.arguments or "" for delta in deltas if delta.function) == '{"city":"echo"}'


@pytest.mark.parametrize("model", ["echo-embedding", "stub/embedding"])
def test_embeddings_are_the_same_as_floats_and_as_base64(client: openai.OpenAI, model: str) -> None:
    floats = client.embeddings.create(model=model, input=["one", "two"], encoding_format="float")
    packed = client.embeddings.create(model=model, input=["one", "two"], encoding_format="base64")
    unpacked = [array("f", b64decode(str(one.embedding))).tolist() for one in packed.data]
    assert len(floats.data) == 2
    assert unpacked == [pytest.approx(one.embedding, rel=1e-6) for one in floats.data]
    assert floats.usage.prompt_tokens > 0


async def test_embeddings_are_asked_in_the_clients_own_way(async_client: openai.AsyncOpenAI) -> None:
    """The client asks for base64 by itself and unpacks it."""
    answer = await async_client.embeddings.create(model="stub/embedding", input="one")
    assert answer.data[0].embedding == VECTOR


def test_models_are_listed_without_patterns(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        "echo",
        "echo-audio",
        "echo-embedding",
        "echo-image",
        "echo-moderation",
        "echo-rerank",
        "meta/llama-3:8b",
        "small",
    ]


@pytest.mark.parametrize("name", ["echo", "meta/llama-3:8b", "small", "stub/any-name:of-it"])
async def test_a_model_is_retrieved_by_its_id(async_client: openai.AsyncOpenAI, name: str) -> None:
    assert (await async_client.models.retrieve(name)).id == name


def test_a_key_sees_its_own_models_alone(calling: Calling) -> None:
    with client_of(calling("narrow")) as client:
        assert [model.id for model in client.models.list()] == ["echo", "small"]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("meta/llama-3:8b")
        with pytest.raises(openai.NotFoundError) as refused:
            client.chat.completions.create(model="stub/any", messages=HELLO)
    assert refused.value.code == "model_not_found"


def test_a_wrong_key_is_an_authentication_error(caller: Caller) -> None:
    with client_of(caller, key="sk-wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="echo", messages=HELLO)
    assert refused.value.code == "invalid_api_key"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="nobody-has-this", messages=HELLO)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_a_wrong_value_is_a_bad_request(async_client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await async_client.chat.completions.create(model="echo", messages=HELLO, n=0)
    assert refused.value.param == "n"


def test_another_tenant_is_a_permission_denied(client: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="echo", messages=HELLO, extra_headers={"X-Tenant-ID": "poor"})


def test_a_used_up_budget_is_a_rate_limit_error(calling: Calling) -> None:
    with client_of(calling("poor")) as client, pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="echo", messages=HELLO)
    assert (refused.value.code, refused.value.type) == ("budget_exceeded", "insufficient_quota")


def test_a_broken_provider_is_an_internal_server_error(client: openai.OpenAI, provider: ProviderStub) -> None:
    provider.script("broken", fails(500))
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="stub/broken", messages=HELLO)
    assert (failed.value.status_code, failed.value.code) == (502, "provider_error")


def call_without_pause(client: openai.OpenAI) -> None:
    for _ in range(100):
        client.chat.completions.create(model="echo", messages=HELLO)


def test_the_client_comes_back_by_itself_after_a_rate_limit(calling: Calling) -> None:
    """One call a second: whoever asks at once is told when to come back, and the client does."""
    caller = calling("bursting")
    with client_of(caller) as hasty, pytest.raises(openai.RateLimitError) as refused:
        call_without_pause(hasty)
    assert refused.value.response.headers["retry-after"] == "1"
    request = fresh("patient")
    with client_of(caller, retries=2) as patient:
        answer = patient.chat.completions.create(
            model="echo", messages=HELLO, extra_headers={"X-Request-ID": request}
        )
    assert answer.choices[0].message.content == "say it back, please"
    assert caller.entry(request).status == "settled"
