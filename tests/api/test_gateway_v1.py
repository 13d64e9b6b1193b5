"""The doors below `/api/v1/gateway/`: shapes to the last member."""

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.plain_doors import PlainDoor, events, told_in_pieces
from tests.support.provider_scripts import (
    PIECES,
    PROMPT_TOKENS,
    USAGE,
    VECTOR,
    completion,
    replies,
    streams,
)
from tests.support.provider_stub import ProviderStub

GENERATE = PlainDoor(path="/api/v1/gateway/generate", dialect="gateway_v1")
STREAM = PlainDoor(path="/api/v1/gateway/generate/stream", dialect="gateway_v1")
EMBEDDINGS = PlainDoor(path="/api/v1/gateway/embeddings", dialect="gateway_v1", prompt="texts")


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("plain")


def test_a_text_in_its_envelope(caller: Caller) -> None:
    answer = GENERATE.ask(caller, "stub/text")
    assert answer.json() == {
        "success": True,
        "data": {"text": "Hello wide world", "model": "stub/text", "usage": USAGE, "finish_reason": "stop"},
    }
    assert answer.header("x-gateway-cost-usd") == "0.000025000"


def test_a_provider_that_does_not_count_is_counted_here(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("uncounted"), fresh("uncounted")
    provider.script(name, replies(completion(usage=None)))
    told = GENERATE.ask(caller, f"stub/{name}", request).json()["data"]["usage"]
    meters = caller.entry(request).meters
    assert told["prompt_tokens"] == meters["input"] > 0
    assert told["completion_tokens"] == meters["output"] > 0
    assert told["total_tokens"] == meters["input"] + meters["output"]


@pytest.mark.parametrize(
    "door", [STREAM, PlainDoor(path=GENERATE.path, dialect="gateway_v1", asked={"stream": True})]
)
def test_a_stream_of_texts(caller: Caller, door: PlainDoor) -> None:
    text, rest = told_in_pieces(events(door.ask(caller, "stub/text")), "text", model="stub/text")
    assert text == "".join(PIECES)
    assert rest == [{"text": "", "finish_reason": "stop", "usage": USAGE}, "[DONE]"]


def test_a_stream_that_is_not_counted_is_counted_here(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("uncounted"), fresh("uncounted")
    provider.script(name, streams(counts=False))
    last = events(STREAM.ask(caller, f"stub/{name}", request))[-2]
    row = caller.entry(request)
    assert row.estimated
    assert last["usage"]["total_tokens"] == sum(row.meters.values()) > 0


def test_the_stream_door_streams_whatever_is_asked(caller: Caller) -> None:
    assert events(STREAM.ask(caller, "stub/text", stream=False))[-1] == "[DONE]"


def test_vectors_in_the_order_of_their_texts(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("vectors")
    vectors = b'{"index":1,"embedding":[0.5]},{"index":0,"embedding":[0.25]}'
    body = b'{"data":[%b],"usage":{"prompt_tokens":5,"total_tokens":5}}' % vectors
    provider.script(name, replies(body))
    answer = EMBEDDINGS.ask(caller, f"stub/{name}", texts=["one", "two"])
    assert answer.json() == {
        "success": True,
        "data": {"embeddings": [[0.25], [0.5]], "model": f"stub/{name}", "usage": {"total_tokens": 5}},
    }
    assert provider.heard(name)[0].member("input") == ["one", "two"]


def test_one_text_has_one_vector(caller: Caller) -> None:
    told = EMBEDDINGS.ask(caller, "stub/vector").json()["data"]
    assert told["embeddings"] == [VECTOR]
    assert told["usage"] == {"total_tokens": PROMPT_TOKENS}


def test_an_answer_without_vectors_is_a_providers_mistake(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("odd")
    provider.script(name, replies(b'{"data":[{"vector":[0.5]}],"usage":{"prompt_tokens":5}}'))
    EMBEDDINGS.error(EMBEDDINGS.ask(caller, f"stub/{name}"), 502, "provider_malformed")


def test_a_cut_off_answer_says_why_it_ended(caller: Caller) -> None:
    told = GENERATE.ask(caller, "echo", prompt="one two three", max_tokens=2).json()["data"]
    assert (told["text"], told["finish_reason"]) == ("one two", "length")
