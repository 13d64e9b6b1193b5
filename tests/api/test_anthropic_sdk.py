"""Anthropic's own client works against the gateway as against Anthropic."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from tests.api.conftest import Calling
from tests.support.anthropic_scripts import (
    COUNTED,
    METERS,
    OUTPUT_TOKENS,
    THOUGHT,
    answer_anthropic,
    error_event,
    events,
    message,
    refuses,
    streams,
)
from tests.support.caller import Caller, fresh
from tests.support.provider_stub import ProviderStub

HELLO: list[MessageParam] = [{"role": "user", "content": "say it back, please"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CHARGE_NANO = 25 * 1_000 + 40 * 100 + 10 * 1_250 + 20 * 2_000 + OUTPUT_TOKENS * 2_000


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("agent")


@pytest.fixture
def client(caller: Caller) -> Iterator[anthropic.Anthropic]:
    with client_of(caller) as client:
        yield client


@pytest.fixture
async def async_client(caller: Caller) -> AsyncIterator[anthropic.AsyncAnthropic]:
    address = caller.gateway.url
    async with anthropic.AsyncAnthropic(
        base_url=address, auth_token=caller.key, max_retries=0, timeout=15
    ) as client:
        yield client


def client_of(caller: Caller, *, key: str = "", retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=caller.gateway.url, api_key=key or caller.key, max_retries=retries, timeout=15
    )


def test_a_message_is_answered_counted_and_charged(client: anthropic.Anthropic, caller: Caller) -> None:
    request = fresh("message")
    answer = client.messages.create(
        model="claude/message", max_tokens=100, messages=HELLO, extra_headers={"X-Request-ID": request}
    )
    assert [block.text for block in answer.content if block.type == "text"] == ["Hello wide world"]
    assert (answer.stop_reason, answer.usage.output_tokens) == ("end_turn", OUTPUT_TOKENS)
    row = caller.entry(request)
    assert (row.status, row.dialect, row.kind) == ("settled", "anthropic", "chat")
    assert (row.meters, bool(row.estimated), row.charge_nano) == (METERS, False, CHARGE_NANO)


async def test_a_message_is_answered_to_the_async_client_with_a_bearer_token(
    async_client: anthropic.AsyncAnthropic,
) -> None:
    answer = await async_client.messages.create(model="claude/message", max_tokens=100, messages=HELLO)
    assert answer.content[0].type == "text"


def test_a_stream_is_told_event_by_event_and_charged(client: anthropic.Anthropic, caller: Caller) -> None:
    request = fresh("stream")
    with client.messages.create(
        model="claude/stream",
        max_tokens=100,
        messages=HELLO,
        stream=True,
        extra_headers={"X-Request-ID": request},
    ) as stream:
        told = [event.type for event in stream]
    assert (told[0], told[-2:]) == ("message_start", ["message_delta", "message_stop"])
    row = caller.entry(request)
    assert (row.status, row.meters, row.charge_nano) == ("settled", METERS, CHARGE_NANO)


def test_the_stream_helper_puts_thoughts_and_words_together(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="claude/thoughts",
        max_tokens=2_000,
        messages=HELLO,
        thinking={"type": "enabled", "budget_tokens": 1_024},
    ) as stream:
        words = "".join(stream.text_stream)
        whole = stream.get_final_message()
    thought, said = whole.content
    assert thought.type == "thinking"
    assert (thought.thinking, thought.signature) == (THOUGHT["thinking"], THOUGHT["signature"])
    assert said.type == "text"
    assert said.text == words == "Hello wide world"
    assert whole.usage.output_tokens == OUTPUT_TOKENS


async def test_the_async_stream_helper(async_client: anthropic.AsyncAnthropic) -> None:
    async with async_client.messages.stream(model="claude/stream", max_tokens=100, messages=HELLO) as stream:
        words = [word async for word in stream.text_stream]
    assert "".join(words) == "Hello wide world"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_used_and_its_result_taken(client: anthropic.Anthropic, streamed: bool) -> None:
    messages = list(HELLO)
    for _ in range(3):
        if streamed:
            with client.messages.stream(
                model="claude/tools", max_tokens=100, messages=messages, tools=[WEATHER]
            ) as stream:
                answer: anthropic.types.Message = stream.get_final_message()
        else:
            answer = client.messages.create(
                model="claude/tools", max_tokens=100, messages=messages, tools=[WEATHER]
            )
        messages.append({"role": "assistant", "content": answer.content})
        used = [block for block in answer.content if block.type == "tool_use"]
        if not used:
            break
        assert (answer.stop_reason, used[0].name, used[0].input) == (
            "tool_use",
            "get_weather",
            {"city": "Köln"},
        )
        messages.append(
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": used[0].id, "content": "sunny"}],
            }
        )
    assert (answer.stop_reason, len(messages)) == ("end_turn", 4)


def test_tokens_are_counted_by_the_provider_and_cost_nothing(
    client: anthropic.Anthropic, caller: Caller
) -> None:
    request = fresh("count")
    counted = client.messages.count_tokens(
        model="claude/count", messages=HELLO, tools=[WEATHER], extra_headers={"X-Request-ID": request}
    )
    assert counted.input_tokens == COUNTED
    row = caller.entry(request)
    assert (row.status, row.kind, row.charge_nano, row.meters) == ("settled", "count", 0, {})


def test_models_are_listed_as_anthropic_lists_them(client: anthropic.Anthropic, calling: Calling) -> None:
    with client_of(calling("narrow")) as narrow:
        page = narrow.models.list()
    assert [(model.id, model.type, model.display_name) for model in page] == [
        (name, "model", name) for name in ("echo", "small")
    ]
    assert (page.first_id, page.last_id, page.has_more) == ("echo", "small", False)
    assert client.models.retrieve("claude/any:of-it").id == "claude/any:of-it"


def test_errors_are_the_clients_own(client: anthropic.Anthropic, caller: Caller, calling: Calling) -> None:
    with client_of(caller, key="sk-wrong") as stranger, pytest.raises(anthropic.AuthenticationError) as wrong:
        stranger.messages.create(model="claude/any", max_tokens=10, messages=HELLO)
    assert (wrong.value.type, wrong.value.error_code) == ("authentication_error", "invalid_api_key")
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(model="nobody-has-this", max_tokens=10, messages=HELLO)
    assert (unknown.value.type, unknown.value.error_code) == ("not_found_error", "model_not_found")
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(model="claude/any", max_tokens=10, messages=[])
    assert (bad.value.type, bad.value.error_code) == ("invalid_request_error", "invalid_request")
    with pytest.raises(anthropic.PermissionDeniedError) as refused:
        client.messages.create(
            model="claude/any", max_tokens=10, messages=HELLO, extra_headers={"X-Tenant-ID": "poor"}
        )
    assert refused.value.type == "permission_error"
    with client_of(calling("poor")) as poor, pytest.raises(anthropic.RateLimitError) as limited:
        poor.messages.create(model="claude/any", max_tokens=10, messages=HELLO)
    assert (limited.value.type, limited.value.error_code) == ("rate_limit_error", "budget_exceeded")


def test_what_the_provider_says_is_wrong_comes_through(
    client: anthropic.Anthropic, provider: ProviderStub
) -> None:
    name, told = fresh("long"), "prompt is too long: 208310 tokens > 200000 maximum"
    provider.script(name, refuses(400, "invalid_request_error", told))
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(model=f"claude/{name}", max_tokens=10, messages=HELLO)
    assert (refused.value.api_message, refused.value.error_code) == (told, "context_length_exceeded")


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (529, "overloaded_error", anthropic.ServiceUnavailableError),
        (500, "api_error", anthropic.InternalServerError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (413, "request_too_large", anthropic.RequestTooLargeError),
    ],
)
def test_a_provider_in_trouble_is_told_of(
    client: anthropic.Anthropic, provider: ProviderStub, status: int, kind: str, raised: type[Exception]
) -> None:
    name = fresh("trouble")
    provider.script(name, refuses(status, kind))
    with pytest.raises(raised) as failed:
        client.messages.create(model=f"claude/{name}", max_tokens=10, messages=HELLO)
    assert isinstance(failed.value, anthropic.APIStatusError)
    assert failed.value.type == kind


def test_an_error_within_a_stream_is_raised(client: anthropic.Anthropic, provider: ProviderStub) -> None:
    name = fresh("broken")
    told = events({"type": "text", "text": "Hello wide world"})
    provider.script(name, streams([*told[:5], error_event("overloaded_error")]))
    with (
        pytest.raises(anthropic.APIStatusError) as failed,
        client.messages.stream(model=f"claude/{name}", max_tokens=10, messages=HELLO) as stream,
    ):
        stream.until_done()
    assert failed.value.type == "overloaded_error"


def ask_without_pause(client: anthropic.Anthropic) -> None:
    for _ in range(100):
        client.messages.create(model="claude/burst", max_tokens=10, messages=HELLO)


def test_the_client_comes_back_by_itself_after_a_rate_limit(calling: Calling) -> None:
    """One call a second: whoever asks at once is told when to come back, and the client does."""
    caller = calling("bursting")
    with client_of(caller) as hasty, pytest.raises(anthropic.RateLimitError) as refused:
        ask_without_pause(hasty)
    assert refused.value.response.headers["retry-after"] == "1"
    request = fresh("patient")
    with client_of(caller, retries=2) as patient:
        patient.messages.create(
            model="claude/burst", max_tokens=10, messages=HELLO, extra_headers={"X-Request-ID": request}
        )
    assert caller.entry(request).status == "settled"


def test_the_gateway_itself_comes_back_to_a_provider_that_limits_it(
    client: anthropic.Anthropic, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("limited"), fresh("limited")
    provider.script(name, refuses(429, "rate_limit_error", headers=[("retry-after", "0")]), answer_anthropic)
    client.messages.create(
        model=f"claude/{name}", max_tokens=10, messages=HELLO, extra_headers={"X-Request-ID": request}
    )
    assert caller.entry(request).outcomes == ["provider_rate_limited", "ok"]


def test_an_empty_message_that_was_meant_is_an_answer(
    client: anthropic.Anthropic, provider: ProviderStub
) -> None:
    name = fresh("empty")
    provider.script(name, streams(events()))
    with client.messages.stream(model=f"claude/{name}", max_tokens=10, messages=HELLO) as stream:
        assert stream.get_final_message().content == []
    assert len(provider.heard(name)) == 1
    assert b'"content": []' in message()
