"""A stream that breaks: another deployment takes over before its first piece, an error ends it after that."""

import json
from typing import Any

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh, hello
from tests.support.provider_scripts import (
    ERROR,
    PIECES,
    answer_honestly,
    chunk,
    delta,
    event,
    fails,
    streams,
    streams_events,
)
from tests.support.provider_stub import ProviderStub, Script
from tests.support.raw_http import Line
from tests.support.small_configurations import INPUT_NANO, OUTPUT_NANO
from tests.support.waiting import eventually

STREAM: dict[str, Any] = {"stream": True}
OPENING = event(chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}}]))


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("failing")


FIRST_TWO = [event(delta(piece)) for piece in PIECES[:2]]
BREAKS: dict[str, tuple[Script, str]] = {
    "cut": (streams(cut_after=2, gated=True), "provider_cut"),
    "an error": (streams(error_after=2, gated=True), "provider_error"),
    "silence": (streams(silent_after=2, gated=True), "provider_timeout"),
    "no JSON": (streams_events([*FIRST_TWO, event(b"{")], gated=True), "provider_malformed"),
    "no end marker": (streams_events([*FIRST_TWO, b""], gated=True), "provider_cut"),
}


def broken_off(line: Line) -> bytes:
    """The last event of a stream that ends without an end marker."""
    last = line.until(b"0\r\n\r\n")
    assert b"[DONE]" not in last
    return next(part for part in last.split(b"\r\n") if part.startswith(b"data: "))


@pytest.mark.parametrize(("script", "code"), BREAKS.values(), ids=BREAKS)
def test_a_stream_that_breaks_ends_with_an_error_and_is_charged_for_what_came(
    caller: Caller, provider: ProviderStub, script: Script, code: str
) -> None:
    name, request = fresh("break"), fresh("break")
    provider.script(name, script)
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello(f"hasty/{name}", **STREAM), request))
        for piece in FIRST_TWO:
            provider.gate(name).open()
            line.until(piece)
        provider.gate(name).open()
        error = json.loads(broken_off(line).removeprefix(b"data: "))["error"]
    assert error["code"] == code
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.outcomes) == ("settled", True, [code])
    assert row.meters["output"] >= 2
    assert row.charge_nano == row.meters["input"] * INPUT_NANO + row.meters["output"] * OUTPUT_NANO
    assert eventually(caller.books_agree)


def test_what_came_in_one_breath_with_the_error_is_passed_on(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("breath")
    provider.script(name, streams_events([FIRST_TWO[0], FIRST_TWO[1] + ERROR], gated=True))
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello(f"hasty/{name}", **STREAM)))
        provider.gate(name).open()
        line.until(FIRST_TWO[0])
        provider.gate(name).open()
        line.until(FIRST_TWO[1])
        assert b'"provider_error"' in broken_off(line)


EARLY: dict[str, Script] = {
    "500": fails(500),
    "cut at once": streams(cut_after=0),
    "cut after the opening": streams_events([OPENING]),
    "an error at once": streams(error_after=0),
    "an error after the opening": streams_events([OPENING, ERROR]),
    "silence": streams(silent_after=0),
    "no JSON": streams_events([event(b"oops")]),
}


@pytest.mark.parametrize("script", EARLY.values(), ids=EARLY)
def test_before_the_first_piece_another_deployment_takes_over(
    caller: Caller, provider: ProviderStub, script: Script
) -> None:
    """Not a byte of the first one's answer reaches the caller."""
    name, request = fresh("early"), fresh("early")
    provider.script(name, script, answer_honestly)
    answer = caller.chat(f"hasty/{name}", request, STREAM)
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "spare")
    assert answer.body.startswith(event(delta(PIECES[0])))
    assert b"error" not in answer.body
    row = caller.entry(request)
    assert (row.status, row.provider, len(row.attempts)) == ("settled", "spare", 2)
    assert eventually(caller.books_agree)


def test_a_stream_that_never_begins_is_an_error_with_a_status(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("never"), fresh("never")
    provider.script(name, fails(500))
    answer = caller.chat(f"stub/{name}", request, STREAM)
    assert (answer.status, answer.header("content-type")) == (502, "application/json")
    assert caller.entry(request).status == "failed"


def test_a_stream_without_counts_is_counted_here(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("uncounted"), fresh("uncounted")
    provider.script(name, streams(["one", " two", " three"], counts=False))
    assert caller.chat(f"stub/{name}", request, STREAM).body.endswith(b"[DONE]\n\n")
    row = caller.entry(request)
    assert (row.status, bool(row.estimated)) == ("settled", True)
    assert row.meters["output"] >= 3
