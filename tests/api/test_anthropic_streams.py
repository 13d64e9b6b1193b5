"""Streams in Anthropic's format: relayed as they come, and what happens when they break."""

import json

import pytest

from tests.api.conftest import Calling
from tests.support.anthropic_calls import MESSAGES, asked, refused, told_of
from tests.support.anthropic_scripts import (
    METERS,
    OUTPUT_TOKENS,
    STOP,
    answer_anthropic,
    error_event,
    event,
    events,
    refuses,
    streams,
)
from tests.support.caller import Caller, fresh
from tests.support.provider_stub import ProviderStub, Script
from tests.support.raw_http import Line
from tests.support.waiting import eventually

TOLD = events({"type": "text", "text": "Hello wide world"})


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("agent")


def test_a_stream_is_relayed_event_by_event(caller: Caller, provider: ProviderStub) -> None:
    """The provider sends the next event only after the caller has read the one before."""
    name, request = fresh("pieces"), fresh("pieces")
    provider.script(name, streams(TOLD, gated=True))
    with Line(caller.gateway.port) as line:
        line.send(caller.request(asked(f"claude/{name}", stream=True), request, path=MESSAGES))
        provider.gate(name).open(4)
        assert b"200 OK" in line.until(b"".join(TOLD[:4]) + b"\r\n")
        for told in TOLD[4:-1]:
            provider.gate(name).open()
            line.until(told + b"\r\n")
        provider.gate(name).open()
        assert STOP in line.until(b"0\r\n\r\n")
    assert caller.entry(request).meters == METERS


def test_a_streams_events_keep_their_bytes(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("events")
    told = [b": a comment\n\n", *(one.replace(b"\n", b"\r\n") for one in TOLD[:-1]), STOP]
    stream = b"".join(told)
    provider.script(name, streams([stream[at : at + 3] for at in range(0, len(stream), 3)]))
    answer = caller.post(asked(f"claude/{name}", stream=True), path=MESSAGES)
    assert answer.body == stream
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"


BREAKS: dict[str, tuple[list[bytes], str, str, str]] = {
    "cut": ([], "cut", "api_error", "provider_cut"),
    "no end marker": ([], "", "api_error", "provider_cut"),
    "overloaded": ([error_event("overloaded_error")], "", "overloaded_error", "provider_error"),
    "limited": ([error_event("rate_limit_error")], "", "rate_limit_error", "provider_rate_limited"),
    "no JSON": ([b"data: {\n\n"], "", "api_error", "provider_malformed"),
}


@pytest.mark.parametrize(("more", "ends", "kind", "code"), BREAKS.values(), ids=BREAKS)
def test_a_stream_that_breaks_ends_with_an_error_event_and_is_charged_for_what_came(
    caller: Caller, provider: ProviderStub, more: list[bytes], ends: str, kind: str, code: str
) -> None:
    """The prompt at what the provider counted; the answer counted here."""
    name, request = fresh("break"), fresh("break")
    provider.script(name, streams([*TOLD[:5], *more], ends=ends))
    answer = caller.post(asked(f"claude/{name}", stream=True), request, path=MESSAGES)
    sent = b"".join(TOLD[:5])
    assert answer.body.startswith(sent + b"event: error\ndata: ")
    told = json.loads(answer.body.removeprefix(sent + b"event: error\ndata: "))
    assert told_of(told, kind, code, request)
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.outcomes) == ("settled", True, [code])
    assert 2 <= row.meters["output"] < OUTPUT_TOKENS
    assert row.meters == METERS | {"output": row.meters["output"]}
    assert eventually(caller.books_agree)


EARLY: dict[str, tuple[Script, bool]] = {
    "529": (refuses(529, "overloaded_error"), False),
    "an error at once": (streams([error_event("overloaded_error")]), False),
    "an error after the opening": (streams([*TOLD[:3], error_event("api_error")]), False),
    "cut after the opening": (streams(TOLD[:3], ends="cut"), True),
}


@pytest.mark.parametrize(("script", "unseen"), EARLY.values(), ids=EARLY)
def test_before_the_first_word_another_deployment_takes_over(
    caller: Caller, provider: ProviderStub, script: Script, unseen: bool
) -> None:
    name, request = fresh("early"), fresh("early")
    provider.script(name, script, answer_anthropic)
    answer = caller.post(asked(f"claude-pair/{name}", stream=True), request, path=MESSAGES)
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "claude-spare")
    assert answer.body == b"".join(TOLD)
    row = caller.entry(request)
    assert (row.status, row.provider, len(row.attempts)) == ("settled", "claude-spare", 2)
    assert bool(row.estimated) is unseen
    assert eventually(caller.books_agree)


def test_a_failure_after_the_prompt_was_counted_costs_nothing(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("free"), fresh("free")
    provider.script(name, streams([*TOLD[:3], error_event("invalid_request_error", "no such thing")]))
    answer = caller.post(asked(f"claude/{name}", stream=True), request, path=MESSAGES)
    assert refused(answer, 400, "invalid_request_error", "provider_rejected") == "no such thing"
    row = caller.entry(request)
    assert (row.status, row.charge_nano, row.meters) == ("failed", 0, {})


def test_an_event_that_nobody_knows_is_passed_on(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("unknown")
    told = [*TOLD[:4], event("something_new", index=0), *TOLD[4:]]
    provider.script(name, streams(told))
    assert caller.post(asked(f"claude/{name}", stream=True), path=MESSAGES).body == b"".join(told)
