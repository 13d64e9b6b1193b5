"""Many requests on one WebSocket: each answered under its id, and a call like any other for the books."""

import json
from collections.abc import Iterator

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.provider_scripts import (
    COMPLETION_TOKENS,
    DONE,
    PIECES,
    PROMPT_TOKENS,
    answer_honestly,
    chunk,
    completion,
    event,
    fails,
    replies,
    streams,
    streams_events,
)
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line
from tests.support.small_configurations import CALL_NANO
from tests.support.socket_client import SocketClient, error_of, frame_bytes, handshake, text_of
from tests.support.waiting import eventually

MANY = 50
COUNTS = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}
CALLS = [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("talking")


@pytest.fixture
def client(caller: Caller) -> Iterator[SocketClient]:
    with SocketClient(caller.gateway.port, caller.key) as socket:
        yield socket


def test_a_request_is_answered_piece_by_piece_and_booked(
    caller: Caller, client: SocketClient, provider: ProviderStub
) -> None:
    name, request = fresh("piece"), fresh("piece")
    client.ask("first", f"stub/{name}", request_id=request)
    *deltas, done = client.until_over("first")["first"]
    assert {frame["type"] for frame in deltas} == {"delta"}
    assert text_of(deltas) == "".join(PIECES)
    assert done == {
        "id": "first",
        "type": "done",
        "usage": COUNTS,
        "cost": CALL_NANO / 1e9,
        "model": f"stub/{name}",
        "provider": "stub",
        "finish_reason": "stop",
        "cached": False,
        "request_id": request,
    }
    assert caller.entry(request).charge_nano == CALL_NANO
    assert eventually(caller.books_agree)


def test_an_answer_comes_in_one_frame_if_it_is_asked_for_whole(
    client: SocketClient, provider: ProviderStub
) -> None:
    name = fresh("whole")
    client.ask("whole", f"stub/{name}", stream=False)
    (done,) = client.until_over("whole")["whole"]
    assert (done["type"], done["text"], done["usage"]) == ("done", "Hello wide world", COUNTS)


def test_what_is_asked_reaches_the_provider_in_openais_words(
    client: SocketClient, provider: ProviderStub
) -> None:
    name = fresh("fields")
    given = {
        "messages": [{"role": "system", "content": "short"}, {"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "max_tokens": 7,
        "stop": ["."],
        "user": "bob",
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
        "of_their_own": {"x": 1},
    }
    own = {"request_id": fresh("fields"), "tags": {"team": "search"}, "timeout": 9}
    assert client.answer("a", f"stub/{name}", stream=False, **given, **own)["type"] == "done"
    (heard,) = provider.heard(name)
    assert heard.asked == {"model": name, **given}


def test_fifty_requests_at_once_are_answered_each_under_its_id(
    caller: Caller, client: SocketClient, provider: ProviderStub
) -> None:
    """The provider says one piece to each in turn, so that no answer is whole before all have begun."""
    names = [fresh("many") for _ in range(MANY)]
    texts = {name: [f"{name}/{number} " for number in range(3)] for name in names}
    for name in names:
        provider.script(name, streams(texts[name], gated=True))
        client.ask(name, f"stub/{name}", request_id=name)
    assert provider.wait_for(lambda: all(provider.heard(name) for name in names))
    for place in range(3):
        for name in reversed(names):
            provider.gate(name).open()
        frames = [client.next() for _ in names]
        assert {frame["id"]: frame["text"] for frame in frames} == {
            name: texts[name][place] for name in names
        }
    for name in names:
        provider.gate(name).open()
    told = client.until_over(*names)
    assert {frames[-1]["type"] for frames in told.values()} == {"done"}
    rows = eventually(lambda: [caller.entry(name) for name in names])
    assert sum(row.charge_nano for row in rows) == MANY * CALL_NANO
    assert sum(provider.bill(name).completion_tokens for name in names) == MANY * COMPLETION_TOKENS
    assert len({row.id for row in rows}) == MANY
    assert eventually(caller.books_agree)


def test_one_of_them_is_cancelled_and_the_others_go_on(
    caller: Caller, client: SocketClient, provider: ProviderStub
) -> None:
    names = [fresh("one") for _ in range(3)]
    for name in names:
        provider.script(name, streams(gated=True))
        client.ask(name, f"stub/{name}", request_id=name)
        provider.gate(name).open()
        assert client.next() == {"id": name, "type": "delta", "text": PIECES[0]}
    client.cancel(names[1])
    assert client.next() == {"id": names[1], "type": "cancelled"}
    assert provider.wait_for(lambda: provider.heard(names[1])[0].left, 1.0)
    row = caller.entry(names[1])
    assert (row.status, bool(row.estimated), row.outcomes) == ("settled", True, ["caller_left"])
    for name in (names[0], names[2]):
        provider.gate(name).open(3)
    told = client.until_over(names[0], names[2])
    assert [text_of(told[name]) for name in (names[0], names[2])] == ["".join(PIECES[1:])] * 2
    assert client.answer(names[1], "echo")["type"] == "done"
    assert eventually(caller.books_agree)


def test_a_request_that_is_cancelled_at_once_is_told_so_once(
    caller: Caller, client: SocketClient, provider: ProviderStub
) -> None:
    name = fresh("hasty")
    provider.script(name, streams(gated=True))
    client.ask("hasty", f"stub/{name}")
    client.cancel("hasty")
    client.cancel("hasty")
    assert client.next() == {"id": "hasty", "type": "cancelled"}
    client.ask("hasty", "echo")
    assert [frame["type"] for frame in client.until_over("hasty")["hasty"]][-1] in ("done", "error")
    assert eventually(caller.books_agree)


def test_a_request_that_is_cancelled_in_the_breath_it_was_asked_with_is_told_so(caller: Caller) -> None:
    """Both frames in one packet: the request is known before it has begun."""
    name = fresh("breath") + "-" * 80
    asked = {"id": name, "type": "generate", "model": "echo", "prompt": "hello"}
    with Line(caller.gateway.port) as line:
        line.send(handshake(caller.key))
        line.until(b"\r\n\r\n")
        line.send(frame_bytes(asked) + frame_bytes({"id": name, "type": "cancel", "of_no_use": "-" * 20}))
        line.until(b'"cancelled"}')
    assert eventually(caller.books_agree)


def test_tool_calls_are_told_as_the_provider_tells_them(client: SocketClient, provider: ProviderStub) -> None:
    name = fresh("tools")
    piece = chunk([{"index": 0, "delta": {"tool_calls": CALLS}, "finish_reason": "tool_calls"}])
    body = json.loads(completion())
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": CALLS}
    provider.script(name, streams_events([event(piece), DONE]), replies(json.dumps(body).encode()))
    client.ask("streamed", f"stub/{name}")
    delta, done = client.until_over("streamed")["streamed"]
    assert delta == {"id": "streamed", "type": "delta", "text": "", "tool_calls": CALLS}
    assert done["finish_reason"] == "tool_calls"
    whole = client.answer("whole", f"stub/{name}", stream=False)
    assert (whole["text"], whole["tool_calls"]) == ("", CALLS)


def test_a_provider_that_fails_before_or_within_a_stream_is_told_under_the_id(
    caller: Caller, client: SocketClient, provider: ProviderStub
) -> None:
    name, requests = fresh("failing"), [fresh("failing") for _ in range(2)]
    provider.script(name, fails(400, message="no such thing"), streams(error_after=2))
    error_of(client.answer("early", f"stub/{name}", request_id=requests[0]), "provider_rejected")
    late = client.answer("late", f"stub/{name}", request_id=requests[1])
    error_of(late, "provider_error")
    assert (late["text"], late["request_id"]) == ("".join(PIECES[:2]), requests[1])
    assert [caller.entry(request).status for request in requests] == ["failed", "settled"]
    assert client.answer("after", "echo")["type"] == "done"
    assert eventually(caller.books_agree)


def test_what_a_budget_or_a_limit_refuses_says_when_to_come_back(
    calling: Calling, provider: ProviderStub
) -> None:
    name = fresh("poor")
    poor, brief = calling("poor"), calling("brief")
    with SocketClient(poor.gateway.port, poor.key) as client:
        assert error_of(client.answer("a", f"stub/{name}"), "budget_exceeded")["retry_after"] >= 1
    with SocketClient(brief.gateway.port, brief.key) as client:
        assert 1 <= error_of(client.answer("a", f"stub/{name}"), "rate_limited")["retry_after"] <= 60
    assert (poor.entries(), provider.heard(name)) == ([], [])
    assert eventually(poor.books_agree)


def test_a_request_that_is_repeated_with_its_key_is_made_once(
    caller: Caller, client: SocketClient, provider: ProviderStub
) -> None:
    name, key = fresh("once"), fresh("once")
    provider.script(name, answer_honestly)
    answers = [client.answer(each, f"stub/{name}", idempotency_key=key) for each in ("first", "again")]
    assert [answer["text"] for answer in answers] == ["".join(PIECES)] * 2
    assert len(provider.heard(name)) == 1
    assert eventually(caller.books_agree)


def test_headers_of_the_handshake_hold_for_all_requests_and_each_may_say_more(caller: Caller) -> None:
    port, requests = caller.gateway.port, [fresh("tagged") for _ in range(2)]
    with SocketClient(port, caller.key, headers={"X-Gateway-Tags": "team=search, feature=any"}) as client:
        client.answer("a", "echo", request_id=requests[0])
        client.answer("b", "echo", request_id=requests[1], tags={"feature": "answer"})
    assert [caller.entry(request).tags for request in requests] == [
        {"team": "search", "feature": "any"},
        {"team": "search", "feature": "answer"},
    ]
