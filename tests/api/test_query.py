"""`/query`, `/chat`, `/embeddings` and `/stream`: shapes to the last member, and who may answer."""

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.plain_doors import PlainDoor, events, told_in_pieces
from tests.support.provider_scripts import COMPLETION_TOKENS, PIECES, PROMPT_TOKENS, VECTOR, replies
from tests.support.provider_stub import ProviderStub
from tests.support.small_configurations import CALL_NANO

QUERY = PlainDoor(path="/query", dialect="query")
CHAT = PlainDoor(path="/chat", dialect="chat")
STREAM = PlainDoor(path="/stream", dialect="query")
EMBEDDINGS = PlainDoor(path="/embeddings", dialect="query", prompt="text")
ANSWER = {
    "response": "Hello wide world",
    "provider": "stub",
    "tokens_used": PROMPT_TOKENS + COMPLETION_TOKENS,
    "cost": CALL_NANO / 10**9,
    "cached": False,
}


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("plain")


def test_an_answer_and_where_it_came_from(caller: Caller) -> None:
    request = fresh("query")
    told = QUERY.ask(caller, "stub/text", request).json()
    assert told.pop("processing_time") >= 0
    assert told == {**ANSWER, "correlation_id": request}


@pytest.mark.parametrize("door", [QUERY, CHAT, STREAM], ids=str)
def test_the_context_goes_before_the_prompt(caller: Caller, provider: ProviderStub, door: PlainDoor) -> None:
    name = fresh("context")
    door.ask(caller, f"stub/{name}", context="Be brief.")
    (heard,) = provider.heard(name)
    assert heard.member("messages") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
    ]


@pytest.mark.parametrize("door", [QUERY, CHAT, STREAM, EMBEDDINGS], ids=str)
def test_the_user_is_an_end_user_and_stays_here(
    caller: Caller, provider: ProviderStub, door: PlainDoor
) -> None:
    name, request = fresh("user"), fresh("user")
    door.ask(caller, f"stub/{name}", request, user_id="alice@example.com")
    assert caller.entry(request).end_user_id is not None
    assert b"alice" not in provider.heard(name)[0].body


def test_a_conversation_keeps_the_name_it_was_given(caller: Caller) -> None:
    request = fresh("chat")
    told = CHAT.ask(caller, "stub/text", request, conversation_id="conv_123").json()
    assert told.pop("processing_time") >= 0
    assert told == {**ANSWER, "correlation_id": request, "conversation_id": "conv_123", "turn": 1}


def test_a_conversation_without_a_name_is_given_one(caller: Caller) -> None:
    names = {CHAT.ask(caller, "stub/text").json()["conversation_id"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("conv_") for name in names)


def test_a_query_has_no_conversation(caller: Caller) -> None:
    assert "conversation_id" not in QUERY.ask(caller, "stub/text", conversation_id="conv_123").json()


def test_a_repeated_key_for_another_conversation_is_a_conflict(caller: Caller) -> None:
    key = fresh("key")
    first, second = (
        caller.post(CHAT.body("stub/once", conversation_id=name), "", CHAT.path, Idempotency_Key=key)
        for name in ("conv_1", "conv_2")
    )
    assert first.status == 200
    CHAT.error(second, 409, "idempotency_conflict")


def test_a_stream_of_chunks(caller: Caller) -> None:
    text, rest = told_in_pieces(events(STREAM.ask(caller, "stub/text")), "chunk", finished=False)
    assert text == "".join(PIECES)
    assert rest == [{"chunk": "", "finished": True}, "[DONE]"]


def test_one_texts_vector(caller: Caller) -> None:
    assert EMBEDDINGS.ask(caller, "stub/vector").json() == {
        "embeddings": VECTOR,
        "model": "stub/vector",
        "provider": "stub",
        "dimensions": len(VECTOR),
    }


def test_no_vector_is_a_providers_mistake(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("odd")
    provider.script(name, replies(b'{"data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":5}}'))
    EMBEDDINGS.error(EMBEDDINGS.ask(caller, f"stub/{name}"), 502, "provider_malformed")


@pytest.mark.parametrize("provider_named", ["auto", None])
def test_auto_leaves_the_choice(caller: Caller, provider_named: str | None) -> None:
    assert QUERY.ask(caller, "pair/text", provider=provider_named).json()["provider"] == "stub"


@pytest.mark.parametrize("door", [QUERY, CHAT, STREAM, EMBEDDINGS], ids=str)
def test_a_named_provider_alone_answers(caller: Caller, door: PlainDoor) -> None:
    answer = door.ask(caller, "pair/text", provider="spare")
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "spare")


def test_nobody_takes_over_from_a_named_provider(caller: Caller) -> None:
    QUERY.error(QUERY.ask(caller, "gone/text", provider="gone"), 502, "provider_unreachable")
    assert QUERY.ask(caller, "gone/text").json()["provider"] == "spare"


@pytest.mark.parametrize("door", [QUERY, CHAT, STREAM, EMBEDDINGS], ids=str)
def test_an_unknown_provider_is_named(uncharged: Caller, door: PlainDoor) -> None:
    answer = door.ask(uncharged, None, provider="nobody-runs-this")
    assert "'nobody-runs-this'" in door.error(answer, 404, "provider_not_found")["message"]


def test_a_provider_that_does_not_serve_the_model_is_named(uncharged: Caller) -> None:
    told = QUERY.error(QUERY.ask(uncharged, "echo", provider="stub"), 400, "invalid_request")
    assert "'stub'" in told["message"]
    assert "'echo'" in told["message"]


def test_a_provider_named_without_a_model_answers_with_its_own(caller: Caller) -> None:
    request = fresh("own")
    answer = QUERY.ask(caller, None, request, provider="native")
    assert (answer.status, answer.header("x-gateway-model")) == (200, "native/own")
    assert EMBEDDINGS.ask(caller, None, provider="echo").json()["model"] == "echo-embedding"


@pytest.mark.parametrize(
    ("name", "value"),
    [("provider", 5), ("context", {}), ("user_id", []), ("force_refresh", "no"), ("conversation_id", "")],
)
@pytest.mark.parametrize("door", [QUERY, CHAT, STREAM], ids=str)
def test_a_wrong_value_is_422_and_named(uncharged: Caller, door: PlainDoor, name: str, value: object) -> None:
    answer = uncharged.post(door.body(None, **{name: value}), path=door.path)
    assert name in door.error(answer, 422, "validation_failed")["message"]
