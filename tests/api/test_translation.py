"""Any dialect to any provider: the engine's own exchange and books, and the formats translated on the way."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.api.conftest import Serving
from tests.gateway.wires.litellm_bytes import Shape
from tests.gateway.wires.litellm_claude import ANTHROPIC
from tests.gateway.wires.litellm_shapes import GEMINI
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.provider_scripts import (
    COMPLETION_TOKENS,
    PROMPT_TOKENS,
    fails,
    replies,
    streams,
    streams_events,
)
from tests.support.provider_stub import ProviderStub
from tests.support.small_configurations import ACME, CALL_NANO, acme_at

KEY = "made-up-key-of-the-provider"
CONFIGURATION = """
providers:
  host: {{wire: openai, base_url: "{stub}", keys: [{{name: main, secret: {key}}}]}}
  claude: {{wire: anthropic, base_url: "{stub}", keys: [{{name: main, secret: {key}}}]}}
  google: {{wire: litellm, base_url: "{stub}", keys: [{{name: main, secret: {key}}}]}}
models:
  "host/*": {{max_output_tokens: 100, deployments: [{{provider: host, model: "*"}}]}}
  "claude/*": {{max_output_tokens: 100, deployments: [{{provider: claude, model: "*"}}]}}
  "google/*":
    max_output_tokens: 100
    context_window: 10000
    deployments: [{{provider: google, model: "gemini/*"}}]
  "either/*":
    max_output_tokens: 100
    deployments: [{{provider: claude, model: "*", priority: 0}}, {{provider: host, model: "*", priority: 1}}]
prices:
  - {{provider: host, model: "*", input: 1, output: 2}}
  - {{provider: claude, model: "*", input: 1, output: 2}}
  - {{provider: claude, model: "*", cache_read: 0.1, cache_write_5m: 1.25, cache_write_1h: 2}}
  - {{provider: google, model: "*", input: 1, output: 2, cache_read: 0.1, image_in: 1, reasoning: 2}}
"""
HELLO: list[Any] = [{"role": "user", "content": "hello"}]
CLAUDE_METERS = {"input": 20, "cache_read": 5, "cache_write_5m": 4, "cache_write_1h": 2, "output": 15}
CLAUDE_NANO = 20_000 + 500 + 5_000 + 4_000 + 30_000
GOOGLE_METERS = {"input": 22, "cache_read": 10, "image_in": 8, "output": 9, "reasoning": 10}
GOOGLE_NANO = 22_000 + 1_000 + 8_000 + 18_000 + 20_000


@pytest.fixture(scope="module")
def translating(provider: ProviderStub, serving: Serving) -> Iterator[GatewayServer]:
    """A gateway with providers of three formats."""
    with serving(CONFIGURATION.format(stub=provider.url(), key=KEY) + ACME) as server:
        yield server
        assert KEY not in server.log
        assert "hello" not in server.log


@pytest.fixture
def caller(translating: GatewayServer) -> Caller:
    return acme_at(translating)


@pytest.fixture
def openai_client(caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=caller.key, base_url=f"{caller.gateway.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(caller: Caller) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=caller.key, base_url=caller.gateway.url, max_retries=0) as client:
        yield client


def _settled(caller: Caller, request: str, meters: dict[str, int], nano: int) -> None:
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.meters) == ("settled", False, meters)
    assert row.charge_nano == nano
    assert caller.books_agree()


TRANSLATED = pytest.mark.parametrize(
    ("prefix", "shape", "path", "meters", "nano"),
    [
        ("claude", ANTHROPIC, "/v1/messages", CLAUDE_METERS, CLAUDE_NANO),
        ("google", GEMINI, "/v1/models/{}:generateContent", GOOGLE_METERS, GOOGLE_NANO),
    ],
)


@TRANSLATED
def test_openais_sdk_asks_another_provider(
    openai_client: openai.OpenAI,
    caller: Caller,
    provider: ProviderStub,
    prefix: str,
    shape: Shape,
    path: str,
    meters: dict[str, int],
    nano: int,
) -> None:
    name, request = fresh("model"), fresh("request")
    provider.script(name, replies(shape.whole))
    answer = openai_client.chat.completions.create(
        model=f"{prefix}/{name}", messages=HELLO, max_tokens=50, extra_headers={"X-Request-ID": request}
    )
    call = (answer.choices[0].message.tool_calls or [])[0]
    assert answer.choices[0].message.content == "Hello wide"
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert answer.usage is not None
    assert answer.usage.total_tokens == shape.usage.tokens
    (heard,) = provider.heard(name)
    assert heard.path == path.format(name)
    assert KEY in (heard.headers.get("x-api-key"), heard.headers.get("x-goog-api-key"))
    _settled(caller, request, meters, nano)


@TRANSLATED
def test_openais_sdk_streams_from_another_provider(
    openai_client: openai.OpenAI,
    caller: Caller,
    provider: ProviderStub,
    prefix: str,
    shape: Shape,
    path: str,
    meters: dict[str, int],
    nano: int,
) -> None:
    name, request = fresh("model"), fresh("request")
    provider.script(name, streams_events([shape.stream[:300], shape.stream[300:301], shape.stream[301:]]))
    with openai_client.chat.completions.create(
        model=f"{prefix}/{name}",
        messages=HELLO,
        stream=True,
        max_tokens=50,
        stream_options={"include_usage": True},
        extra_headers={"X-Request-ID": request},
    ) as stream:
        chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "Hello wide"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == shape.usage.tokens
    _settled(caller, request, meters, nano)


def test_anthropics_sdk_asks_a_host_of_openais_format(
    anthropic_client: anthropic.Anthropic, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("model"), fresh("request")
    answer = anthropic_client.messages.create(
        model=f"host/{name}", max_tokens=50, messages=HELLO, extra_headers={"X-Request-ID": request}
    )
    assert [block.text for block in answer.content if block.type == "text"] == ["Hello wide world"]
    assert (answer.stop_reason, answer.model) == ("end_turn", f"host/{name}")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT_TOKENS, COMPLETION_TOKENS)
    (heard,) = provider.heard(name)
    assert heard.path == "/v1/chat/completions"
    assert heard.asked == {"model": name, "max_tokens": 50, "messages": HELLO}
    _settled(caller, request, {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}, CALL_NANO)


def test_anthropics_sdk_streams_from_a_host_of_openais_format(
    anthropic_client: anthropic.Anthropic, caller: Caller
) -> None:
    name, request = fresh("model"), fresh("request")
    with anthropic_client.messages.stream(
        model=f"host/{name}", max_tokens=50, messages=HELLO, extra_headers={"X-Request-ID": request}
    ) as stream:
        said = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert said == "Hello wide world"
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT_TOKENS, COMPLETION_TOKENS)
    _settled(caller, request, {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}, CALL_NANO)


def test_anthropics_sdk_asks_google(
    anthropic_client: anthropic.Anthropic, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("model"), fresh("request")
    provider.script(name, streams_events([GEMINI.stream]))
    with anthropic_client.messages.stream(
        model=f"google/{name}", max_tokens=50, messages=HELLO, extra_headers={"X-Request-ID": request}
    ) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use"]
    assert answer.usage.cache_read_input_tokens == 10
    _settled(caller, request, GOOGLE_METERS, GOOGLE_NANO)


def test_what_cannot_be_translated_is_refused_and_costs_nothing(
    openai_client: openai.OpenAI, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("model"), fresh("request")
    with pytest.raises(openai.BadRequestError) as refusal:
        openai_client.chat.completions.create(
            model=f"claude/{name}", messages=HELLO, seed=1, extra_headers={"X-Request-ID": request}
        )
    assert refusal.value.param == "seed"
    assert provider.heard(name) == []
    row = caller.entry(request)
    assert (row.status, row.charge_nano) == ("failed", 0)
    assert caller.books_agree()


def test_what_one_format_cannot_say_another_hosts_does(
    openai_client: openai.OpenAI, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("model"), fresh("request")
    answer = openai_client.chat.completions.create(
        model=f"either/{name}", messages=HELLO, seed=1, extra_headers={"X-Request-ID": request}
    )
    assert answer.choices[0].message.content == "Hello wide world"
    (heard,) = provider.heard(name)
    assert (heard.path, heard.asked["seed"]) == ("/v1/chat/completions", 1)
    assert caller.entry(request).outcomes == ["ok"]
    _settled(caller, request, {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}, CALL_NANO)


def test_a_providers_refusal_is_told_in_the_callers_format(
    anthropic_client: anthropic.Anthropic, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("model"), fresh("request")
    provider.script(name, fails(400, message="too hot"))
    with pytest.raises(anthropic.BadRequestError, match="too hot"):
        anthropic_client.messages.create(
            model=f"google/{name}", max_tokens=50, messages=HELLO, extra_headers={"X-Request-ID": request}
        )
    assert caller.entry(request).charge_nano == 0


@pytest.mark.parametrize("end", [b"", ANTHROPIC.error], ids=["cut", "failed"])
def test_a_stream_without_the_providers_end_is_told_as_broken(
    openai_client: openai.OpenAI, caller: Caller, provider: ProviderStub, end: bytes
) -> None:
    name, request = fresh("model"), fresh("request")
    begun = ANTHROPIC.stream.partition(b"event: message_delta")[0]
    provider.script(name, streams_events([begun, *([end] if end else [])]))
    with (
        openai_client.chat.completions.create(
            model=f"claude/{name}", messages=HELLO, stream=True, extra_headers={"X-Request-ID": request}
        ) as stream,
        pytest.raises(openai.APIError),
    ):
        list(stream)
    row = caller.entry(request)
    assert bool(row.estimated)
    assert row.charge_nano >= 20_000
    assert caller.books_agree()


def test_a_host_that_does_not_count_is_counted_here(
    anthropic_client: anthropic.Anthropic, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("model"), fresh("request")
    provider.script(name, streams(counts=False))
    with anthropic_client.messages.stream(
        model=f"host/{name}", max_tokens=50, messages=HELLO, extra_headers={"X-Request-ID": request}
    ) as stream:
        assert "".join(stream.text_stream) == "Hello wide world"
    row = caller.entry(request)
    assert (row.status, bool(row.estimated)) == ("settled", True)
    assert row.meters["output"] > 0


def test_large_pictures_are_translated_too(
    openai_client: openai.OpenAI, caller: Caller, provider: ProviderStub
) -> None:
    name = fresh("model")
    provider.script(name, replies(GEMINI.whole))
    picture = "A" * 400_000
    content: Any = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}]
    openai_client.chat.completions.create(
        model=f"google/{name}", messages=[{"role": "user", "content": content}], max_tokens=5
    )
    (heard,) = provider.heard(name)
    assert heard.asked["contents"][0]["parts"][0]["inline_data"]["data"] == picture
