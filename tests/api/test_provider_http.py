"""However a provider frames its answers in HTTP, each caller gets their own, whole, and nothing else."""

from threading import Event

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh, hello
from tests.support.provider_scripts import (
    CHUNKED_END,
    DONE,
    answer_honestly,
    chunked,
    completion,
    delta,
    event,
    head,
    stream_head,
)
from tests.support.provider_stub import ProviderStub, Script, Turn
from tests.support.raw_http import Line
from tests.support.refusals import refused

ANSWER = completion()
JSON = ("content-type", "application/json")
EVENTS = ("content-type", "text/event-stream")
LENGTH = ("content-length", str(len(ANSWER)))
CHUNKED = ("transfer-encoding", "chunked")
STREAM = event(delta("Hello")) + DONE
PLAIN_HEAD = head(200, [JSON, LENGTH])
PIECES = [chunked(ANSWER[at : at + 5]) for at in range(0, len(ANSWER), 5)]


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("failing")


def writes(*parts: bytes, cut: bool = False) -> Script:
    """These very bytes; cut, the connection is closed behind them."""

    async def script(turn: Turn) -> None:
        for part in parts:
            turn.write(part)
        turn.complete(b"")
        if cut:
            turn.cut()

    return script


GOOD: dict[str, Script] = {
    "by length": writes(PLAIN_HEAD + ANSWER),
    "byte by byte": writes(*((PLAIN_HEAD + ANSWER)[at : at + 1] for at in range(len(PLAIN_HEAD + ANSWER)))),
    "by length, then closed": writes(head(200, [JSON, LENGTH, ("connection", "close")]) + ANSWER, cut=True),
    "chunked": writes(head(200, [JSON, CHUNKED]), *PIECES, CHUNKED_END),
    "chunked with a trailer": writes(
        head(200, [JSON, CHUNKED]), *PIECES, b"0\r\ncontent-type: text/html\r\nx-sum: 1\r\n\r\n"
    ),
    "to the end of the connection": writes(head(200, [JSON, ("connection", "close")]), ANSWER, cut=True),
    "as HTTP/1.0": writes(head(200, [JSON]).replace(b"HTTP/1.1", b"HTTP/1.0"), ANSWER, cut=True),
    "after early hints": writes(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", PLAIN_HEAD + ANSWER),
    "after a continue": writes(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN_HEAD + ANSWER),
    "without a reason": writes(PLAIN_HEAD.replace(b" OK", b"") + ANSWER),
    "with repeated headers": writes(head(200, [JSON, ("x-a", "1"), ("x-a", "2"), LENGTH]) + ANSWER),
}


@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD)
def test_an_answer_is_read_whole_however_it_is_framed(
    caller: Caller, provider: ProviderStub, script: Script
) -> None:
    """And so is the one after it, on the same connection or another."""
    name = fresh("framed")
    provider.script(name, script, answer_honestly)
    for _ in range(2):
        answer = caller.chat(f"stub/{name}")
        assert answer.status == 200
        assert answer.header("content-type") == "application/json"
        assert answer.json()["choices"][0]["message"]["content"] == "Hello wide world"


STREAMED: dict[str, Script] = {
    "chunked": writes(stream_head(), chunked(STREAM), CHUNKED_END),
    "to the end of the connection": writes(head(200, [EVENTS, ("connection", "close")]), STREAM, cut=True),
    "with a comment after its end": writes(
        stream_head(), chunked(STREAM), chunked(b": bye\n\n"), CHUNKED_END
    ),
    "with an event after its end": writes(
        stream_head(), chunked(STREAM), chunked(event(delta("too late"))), CHUNKED_END
    ),
}


@pytest.mark.parametrize("script", STREAMED.values(), ids=STREAMED)
def test_a_stream_is_read_to_its_end_marker_however_it_is_framed(
    caller: Caller, provider: ProviderStub, script: Script
) -> None:
    name = fresh("streamed")
    provider.script(name, script, writes(stream_head(), chunked(STREAM), CHUNKED_END))
    for _ in range(2):
        assert caller.chat(f"stub/{name}", members={"stream": True}).body == STREAM


BAD: dict[str, tuple[Script, str]] = {
    "no HTTP": (writes(b"SSH-2.0-OpenSSH_9.6\r\n"), "provider_malformed"),
    "a length that is none": (writes(head(200, [JSON, ("content-length", "-5")])), "provider_malformed"),
    "two lengths": (writes(head(200, [LENGTH, ("content-length", "1")]) + ANSWER), "provider_malformed"),
    "length and chunks": (writes(head(200, [LENGTH, CHUNKED])), "provider_malformed"),
    "a chunk that is none": (writes(stream_head(), b"zz\r\n"), "provider_malformed"),
    "an endless head": (writes(b"HTTP/1.1 200 OK\r\n", b"x-a: y\r\n" * 100_000), "provider_malformed"),
    "nothing": (writes(cut=True), "provider_cut"),
    "half a head": (writes(PLAIN_HEAD[:20], cut=True), "provider_cut"),
    "half a body": (writes(PLAIN_HEAD + ANSWER[:-1], cut=True), "provider_cut"),
    "chunks without an end": (writes(stream_head(), chunked(ANSWER), cut=True), "provider_cut"),
}


@pytest.mark.parametrize(("script", "code"), BAD.values(), ids=BAD)
def test_a_broken_answer_is_the_providers_error(
    caller: Caller, provider: ProviderStub, script: Script, code: str
) -> None:
    name, request = fresh("broken"), fresh("broken")
    provider.script(name, script)
    refused(caller.chat(f"stub/{name}", request), 502, code)
    assert set(caller.entry(request).outcomes) == {code}


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_says_unasked_reaches_nobody(
    calling: Calling, provider: ProviderStub, stream: bool
) -> None:
    """A second answer to one request, sent while its connection waits for the call of another tenant.

    Both tenants call on one connection, and so the same process.
    """
    name, said = fresh("unasked"), Event()
    body = event(delta("of another tenant"))
    unasked = head(200, [EVENTS, ("content-length", str(len(body)))]) + body

    async def answer_twice(turn: Turn) -> None:
        turn.complete(PLAIN_HEAD + ANSWER)
        await turn.gate.passed()
        turn.write(unasked)
        said.set()

    provider.script(name, answer_twice, answer_honestly)
    first, second = calling("failing"), calling("passing")
    with Line(first.gateway.port) as line:
        line.send(first.request(hello(f"idle/{name}")))
        assert line.answer().status == 200
        provider.gate(name).open()
        assert said.wait(10)
        line.send(second.request(hello(f"idle/{name}", stream=stream)))
        answer = line.answer()
    assert answer.status == 200
    assert b"another tenant" not in answer.body
    assert b"wide" in answer.body
    assert len(provider.heard(name)) == 2


def test_of_two_answers_at_once_the_first_is_the_callers(calling: Calling, provider: ProviderStub) -> None:
    name = fresh("both")
    other = completion("of another tenant")
    second = head(202, [EVENTS, ("content-length", str(len(other)))]) + other
    provider.script(name, writes(PLAIN_HEAD + ANSWER + second), answer_honestly)
    callers = [calling(tenant) for tenant in ("failing", "passing")]
    with Line(callers[0].gateway.port) as line:
        for caller in callers:
            line.send(caller.request(hello(f"idle/{name}")))
            answer = line.answer()
            assert (answer.status, answer.header("content-type")) == (200, "application/json")
            assert b"another tenant" not in answer.body
    assert len(provider.heard(name)) == 2
