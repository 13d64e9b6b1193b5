"""Responses are kept by the gateway: read, deleted and gone on from, by their tenant alone."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.openai_clients import client_of
from tests.support.provider_kinds import response
from tests.support.provider_scripts import (
    PIECES,
    replies,
)
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import exchange, request_bytes
from tests.support.refusals import refused

PATH = "/v1/responses"
SAID = "".join(PIECES)
each_host = pytest.mark.parametrize("host", ["stub", "native"])


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("doors")


@pytest.fixture
def client(caller: Caller) -> Iterator[openai.OpenAI]:
    with client_of(caller) as client:
        yield client


def own(provider: ProviderStub, name: str) -> str:
    """A native model whose response has an id of its own."""
    provider.script(name, replies(response(f"resp_{name}")))
    return f"native/{name}"


def ask_for(caller: Caller, method: str, name: str) -> Any:
    return exchange(caller.gateway.port, request_bytes(method, f"{PATH}/{name}", caller.headers()), method)


@each_host
def test_a_conversation_goes_on_from_what_the_gateway_kept(
    client: openai.OpenAI, provider: ProviderStub, host: str
) -> None:
    name = fresh("on")
    if host == "native":
        own(provider, name)
    first = client.responses.create(model=f"{host}/{name}", input="my name is Alice", instructions="be brief")
    second = client.responses.create(model=f"{host}/{name}", input="who am I?", previous_response_id=first.id)
    assert second.output_text == SAID
    asked = provider.heard(name)[1].asked
    if host == "native":
        assert "previous_response_id" not in asked
        texts = [one["content"] for one in asked["input"]]
        assert texts[0] == "my name is Alice"
        assert texts[1][0]["text"] == SAID
        assert texts[2] == "who am I?"
    else:
        assert [(one["role"], one["content"]) for one in asked["messages"]] == [
            ("user", "my name is Alice"),
            ("assistant", SAID),
            ("user", "who am I?"),
        ]
        assert second.previous_response_id == first.id


def test_a_streamed_response_is_kept_too(client: openai.OpenAI, provider: ProviderStub) -> None:
    with client.responses.create(model="stub/kept", input="remember", stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.completed"
    assert client.responses.retrieve(last.response.id).output_text == SAID


@each_host
def test_a_kept_response_is_read_and_deleted(
    client: openai.OpenAI, provider: ProviderStub, host: str
) -> None:
    name = fresh("read")
    if host == "native":
        own(provider, name)
    made = client.responses.create(model=f"{host}/{name}", input="keep this")
    assert client.responses.retrieve(made.id) == made
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.retrieve(made.id)
    assert gone.value.code == "response_not_found"
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=f"{host}/{name}", input="go on", previous_response_id=made.id)


def test_reading_costs_nothing(caller: Caller, client: openai.OpenAI) -> None:
    made = client.responses.create(model="stub/free", input="keep this")
    known = caller.gateway.known_calls()
    assert ask_for(caller, "GET", made.id).json()["id"] == made.id
    assert caller.gateway.known_calls() == known


def test_another_tenants_response_is_unknown(
    calling: Calling, client: openai.OpenAI, provider: ProviderStub
) -> None:
    name = fresh("theirs")
    made = client.responses.create(model=f"stub/{name}", input="a secret")
    stranger = calling("strangers")
    unknown = refused(ask_for(stranger, "GET", "resp_nobody"), 404, "response_not_found")
    for method in ("GET", "DELETE"):
        theirs = refused(ask_for(stranger, method, made.id), 404, "response_not_found")
        assert theirs["message"].replace(made.id, "resp_nobody") == unknown["message"]
    body = {"model": f"stub/{name}", "input": "go on", "previous_response_id": made.id}
    refused(stranger.post(json.dumps(body).encode(), path=PATH), 404, "response_not_found")
    assert len(provider.heard(name)) == 1
    assert client.responses.retrieve(made.id).id == made.id


@pytest.mark.parametrize("name", ["resp_%00", "resp_%0A", "r" * 10_000, "a/b", "..", "%E2%80%AE"])
def test_an_id_that_is_none_is_unknown(uncharged: Caller, name: str) -> None:
    for method in ("GET", "DELETE"):
        refused(ask_for(uncharged, method, name), 404, "response_not_found")


def test_going_on_from_what_is_no_id_is_refused(uncharged: Caller) -> None:
    body = b'{"model":"stub/on","input":"x","previous_response_id":"resp_\\u0000"}'
    refused(uncharged.post(body, path=PATH), 404, "response_not_found")


def test_what_is_not_to_be_stored_is_not(client: openai.OpenAI, caller: Caller) -> None:
    made = client.responses.create(model="stub/unkept", input="forget this", store=False)
    assert ask_for(caller, "GET", made.id).status == 404


def test_what_was_kept_counts_against_the_budget(
    calling: Calling, client: openai.OpenAI, provider: ProviderStub
) -> None:
    """The bound covers what stands in front of the input: its bytes are held as tokens."""
    scarce = calling("scarce")
    long = json.dumps({"model": "stub/long", "max_output_tokens": 16, "input": "x" * 400})
    first = scarce.post(long.encode(), path=PATH)
    assert first.status == 200, first
    on = {"model": "stub/long", "max_output_tokens": 16, "input": "y" * 400}
    assert scarce.post(json.dumps(on).encode(), path=PATH).status == 200
    on |= {"previous_response_id": first.json()["id"]}
    refused(scarce.post(json.dumps(on).encode(), path=PATH), 429, "budget_exceeded")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
def test_a_kept_response_answers_to_reading_and_deleting_only(caller: Caller, method: str) -> None:
    answer = ask_for(caller, method, "resp_1")
    refused(answer, 405, "method_not_allowed")
    assert answer.header("allow") == "GET, HEAD, DELETE, OPTIONS"
