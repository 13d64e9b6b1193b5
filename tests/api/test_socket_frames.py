"""Frames that are wrong: the trouble is named, the socket stays for a while, and nobody pays."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.gateways import BODY_LIMIT
from tests.support.provider_scripts import streams
from tests.support.provider_stub import ProviderStub
from tests.support.socket_client import SocketClient, error_of
from tests.support.waiting import eventually

OPEN_AT_MOST = 64
FAULTS_AT_MOST = 32
GOOD = {"id": "a", "type": "generate", "model": "echo", "prompt": "hello"}


def frame(**members: Any) -> str:
    """The good one, with these members; those that are None are left out."""
    return json.dumps({name: value for name, value in {**GOOD, **members}.items() if value is not None})


WRONG: dict[str, tuple[str | bytes, str | None, str, str | None]] = {
    "no JSON": ("nonsense", None, "invalid_request", None),
    "half a frame": ('{"id":"a","type":', None, "invalid_request", None),
    "a list": ('["a"]', None, "invalid_request", None),
    "an abyss": ("[" * 100_000, None, "invalid_request", None),
    "a member twice": ('{"id":"a","type":"cancel","type":"generate"}', "a", "invalid_request", None),
    "a binary frame": (frame().encode(), None, "invalid_request", None),
    "no type": (frame(type=None), "a", "validation_failed", None),
    "an unknown type": (frame(type="sing"), "a", "validation_failed", "type"),
    "no id": (frame(id=None), None, "validation_failed", None),
    "an empty id": (frame(id=""), "", "validation_failed", "id"),
    "an id that is no text": (frame(id=7), None, "validation_failed", "id"),
    "a long id": (frame(id="i" * 129), None, "validation_failed", "id"),
    "no prompt": (frame(prompt=None), "a", "validation_failed", "prompt"),
    "prompt and messages": (frame(messages=[{"role": "user"}]), "a", "validation_failed", "prompt"),
    "no message": (frame(prompt=None, messages=[]), "a", "validation_failed", "messages"),
    "a model that is no name": (frame(model=["echo"]), "a", "validation_failed", "model"),
    "several answers": (frame(n=2), "a", "validation_failed", "n"),
    "no tokens": (frame(max_tokens=0), "a", "validation_failed", "max_tokens"),
    "tags of numbers": (frame(tags={"team": 7}), "a", "validation_failed", "tags[...]"),
    "tags out of control": (frame(tags={"team": "a\u0000b"}), "a", "invalid_request", "tags"),
    "too many tags": (frame(tags={f"t{n}": "x" for n in range(17)}), "a", "invalid_request", "tags"),
    "no time": (frame(timeout=0), "a", "invalid_request", "timeout"),
    "a wild request id": (frame(request_id="a b"), "a", "invalid_request", "request_id"),
    "a wild key": (frame(idempotency_key="a b"), "a", "invalid_request", "idempotency_key"),
}


@pytest.fixture
def client(uncharged: Caller) -> Iterator[SocketClient]:
    with SocketClient(uncharged.gateway.port, uncharged.key) as socket:
        yield socket


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_frame_is_told_what_is_wrong_and_the_socket_stays(client: SocketClient, wrong: str) -> None:
    data, name, code, param = WRONG[wrong]
    for _ in range(2):
        client.say(data)
        told = client.next()
        assert told["id"] == name
        assert error_of(told, code).get("param") == param


def test_an_unknown_model_is_told_under_the_id(client: SocketClient) -> None:
    error_of(client.answer("a", "nobody-knows"), "model_not_found")


def test_a_cancel_for_nobody_is_told_so(client: SocketClient) -> None:
    client.cancel("nobody")
    told = client.next()
    assert told["id"] == "nobody"
    error_of(told, "unknown_request")


def test_the_socket_is_closed_once_too_many_frames_were_wrong(client: SocketClient) -> None:
    for _ in range(FAULTS_AT_MOST):
        client.say("nonsense")
    for _ in range(FAULTS_AT_MOST):
        error_of(client.next(), "invalid_request")
    assert client.code() == 4400


def test_a_frame_that_is_too_large_closes_the_socket(client: SocketClient) -> None:
    client.say(frame(prompt="x" * BODY_LIMIT))
    assert client.code() == 1009


def test_a_frame_in_many_pieces_is_one_frame(client: SocketClient) -> None:
    data = frame(model="nobody-knows")
    client.connection.send([data[place : place + 1] for place in range(len(data))])
    error_of(client.next(), "model_not_found")


def test_text_that_is_none_closes_the_socket(client: SocketClient) -> None:
    client.connection.send(b"\xff\xfe", text=True)
    assert client.code() == 1007


def test_an_id_that_is_open_is_refused_and_its_request_goes_on(
    calling: Calling, provider: ProviderStub
) -> None:
    caller, name = calling("talking"), fresh("twice")
    provider.script(name, streams(gated=True))
    with SocketClient(caller.gateway.port, caller.key) as client:
        client.ask("same", f"stub/{name}")
        client.ask("same", f"stub/{name}")
        error_of(client.next(), "duplicate_id")
        assert provider.wait_for(lambda: bool(provider.heard(name)))
        provider.gate(name).open(4)
        assert client.until_over("same")["same"][-1]["type"] == "done"
    assert len(provider.heard(name)) == 1


def test_more_requests_than_may_be_open_are_refused_and_not_queued(
    calling: Calling, provider: ProviderStub
) -> None:
    caller, name = calling("talking"), fresh("crowd")
    provider.script(name, streams(["x"], gated=True))
    names = [f"{name}-{number}" for number in range(OPEN_AT_MOST)]
    with SocketClient(caller.gateway.port, caller.key) as client:
        for each in names:
            client.ask(each, f"stub/{name}")
        for each in ("one more", "and another"):
            client.ask(each, f"stub/{name}")
            told = client.next()
            assert told["id"] == each
            assert error_of(told, "too_many_requests")["retry_after"] == 1
        assert provider.wait_for(lambda: len(provider.heard(name)) == OPEN_AT_MOST)
        provider.gate(name).open(2 * OPEN_AT_MOST)
        told_of = client.until_over(*names)
        assert {frames[-1]["type"] for frames in told_of.values()} == {"done"}
        assert client.answer("now", "echo")["type"] == "done"
    assert len(provider.heard(name)) == OPEN_AT_MOST
    assert eventually(caller.books_agree)
