"""`/api/v1/generate` and `/api/v1/models`: shapes to the last member."""

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.plain_doors import PlainDoor, events, told_in_pieces
from tests.support.provider_scripts import PIECES, USAGE, fails
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.small_configurations import CALL_NANO

GENERATE = PlainDoor(path="/api/v1/generate", dialect="models_v1")
STREAM = PlainDoor(path="/api/v1/generate", dialect="models_v1", asked={"stream": True})
FAILURES_THAT_OPEN = 5


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("plain")


def read(caller: Caller, path: str) -> Answer:
    """What is told at an address."""
    return exchange(caller.gateway.port, request_bytes("GET", path, caller.headers()), "GET")


def test_a_text_and_all_there_is_to_know_of_it(caller: Caller) -> None:
    request = fresh("text")
    told = GENERATE.ask(caller, "stub/text", request).json()
    row = caller.entry(request)
    assert told.pop("latency_ms") >= 0
    assert told.pop("id").replace("-", "") == row.id.replace("-", "")
    assert told == {
        "model": "stub/text",
        "provider": "stub",
        "text": "Hello wide world",
        "finish_reason": "stop",
        "usage": USAGE,
        "cost": CALL_NANO / 10**9,
        "cached": False,
    }
    assert row.charge_nano == CALL_NANO


def test_a_stream_of_texts(caller: Caller) -> None:
    text, rest = told_in_pieces(events(STREAM.ask(caller, "stub/text")), "text", done=False)
    assert text == "".join(PIECES)
    assert rest == [
        {
            "text": "",
            "done": True,
            "finish_reason": "stop",
            "usage": USAGE,
            "model": "stub/text",
            "provider": "stub",
        },
        "[DONE]",
    ]


def test_stream_false_is_a_whole_answer(caller: Caller) -> None:
    assert GENERATE.ask(caller, "stub/text", stream=False).json()["text"] == "Hello wide world"


def test_models_are_listed_once_with_their_aliases(caller: Caller) -> None:
    told = {model["name"]: model for model in read(caller, "/api/v1/models").json()["models"]}
    assert told["echo"] == {
        "name": "echo",
        "provider": "echo",
        "type": "chat",
        "status": "available",
        "capabilities": [],
        "context_window": None,
        "aliases": ["small"],
    }
    assert told["echo-embedding"]["type"] == "embedding"
    assert "small" not in told
    assert not any("*" in name for name in told)


@pytest.mark.parametrize("name", ["echo", "small"])
def test_a_model_is_told_by_any_of_its_names(caller: Caller, name: str) -> None:
    told = read(caller, f"/api/v1/models/{name}").json()
    assert (told["name"], told["aliases"]) == ("echo", ["small"])


@pytest.mark.parametrize("name", ["meta/llama-3:8b", "meta%2Fllama-3%3A8b", "stub/any-name:of-it"])
def test_names_hold_slashes_and_colons(caller: Caller, name: str) -> None:
    assert read(caller, f"/api/v1/models/{name}").json()["name"] in ("meta/llama-3:8b", name)


@pytest.mark.parametrize("name", ["nobody-has-this", "stub/*", "%00", "a%20b%0d%0ax"])
def test_an_unknown_model_is_not_found(caller: Caller, name: str) -> None:
    GENERATE.error(read(caller, f"/api/v1/models/{name}"), 404, "model_not_found")


def test_a_key_sees_its_own_models_alone(calling: Calling) -> None:
    narrow = calling("narrow")
    assert [one["name"] for one in read(narrow, "/api/v1/models").json()["models"]] == ["echo"]
    GENERATE.error(read(narrow, "/api/v1/models/meta/llama-3:8b"), 404, "model_not_found")


def test_a_model_whose_breaker_opened_is_unavailable(caller: Caller, provider: ProviderStub) -> None:
    """In the process that saw it: others have not called it yet."""
    name = fresh("ill")
    provider.script(name, fails(500))
    while GENERATE.ask(caller, f"stub/{name}").json()["error"]["code"] != "no_provider":
        continue
    asked = [read(caller, f"/api/v1/models/stub/{name}").json()["status"] for _ in caller.gateway.webs]
    assert "unavailable" in asked
    assert set(asked) <= {"available", "unavailable"}


def test_a_model_without_one_of_its_deployments_is_degraded(caller: Caller) -> None:
    name = fresh("half")
    for _ in range(2 * FAILURES_THAT_OPEN * len(caller.gateway.webs)):
        assert GENERATE.ask(caller, f"gone/{name}").status == 200
    told = read(caller, f"/api/v1/models/gone/{name}").json()
    assert (told["status"], told["provider"]) == ("degraded", "gone")


def test_nothing_else_is_below_it(caller: Caller) -> None:
    told = GENERATE.error(read(caller, "/api/v1/nothing"), 404, "not_found")
    assert "/api/v1/nothing" in told["message"]
