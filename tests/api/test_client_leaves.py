"""A caller who leaves: the provider is let go within a second, and the books say what it came to."""

import pytest

from tests.api.conftest import Calling, Serving
from tests.support.caller import CHAT, Caller, fresh, hello
from tests.support.provider_scripts import PIECES, answer_honestly, delta, event, fails, replies, streams
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line, request_bytes
from tests.support.small_configurations import ACME, INPUT_NANO, OUTPUT_NANO, acme_at, stub_at
from tests.support.waiting import eventually

NOTICED_WITHIN = 1.0


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("leaving")


def leave_once_heard(
    caller: Caller, provider: ProviderStub, name: str, request: str, *, stream: bool
) -> None:
    """Call, wait until the provider has it, and leave; the provider must see that soon."""
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello(f"stub/{name}", stream=stream), request))
        assert provider.wait_for(lambda: bool(provider.heard(name)))
    assert provider.wait_for(lambda: provider.heard(name)[0].left, NOTICED_WITHIN)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_left_before_its_answer_is_booked_at_its_bound(
    caller: Caller, provider: ProviderStub, stream: bool
) -> None:
    """The provider may have done the whole work: nobody saw."""
    name, request = fresh("left"), fresh("left")
    provider.script(name, streams(gated=True) if stream else replies(b"{}", gated=True))
    leave_once_heard(caller, provider, name, request, stream=stream)
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.outcomes) == ("unsettled", True, ["caller_left"])
    assert row.charge_nano > 100 * OUTPUT_NANO
    assert eventually(caller.books_agree)
    assert provider.bill(name).calls == 0


def test_a_stream_left_halfway_is_charged_for_what_was_delivered(
    caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("halfway"), fresh("halfway")
    provider.script(name, streams(gated=True))
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello(f"stub/{name}", stream=True), request))
        for piece in PIECES[:2]:
            provider.gate(name).open()
            line.until(event(delta(piece)))
    assert provider.wait_for(
        lambda: bool(provider.heard(name)) and provider.heard(name)[0].left, NOTICED_WITHIN
    )
    row = caller.entry(request)
    assert (row.status, bool(row.estimated), row.outcomes) == ("settled", True, ["caller_left"])
    assert row.meters["input"] >= 1
    assert 2 <= row.meters["output"] < 100
    assert row.charge_nano == row.meters["input"] * INPUT_NANO + row.meters["output"] * OUTPUT_NANO
    assert eventually(caller.books_agree)


def test_a_call_left_in_the_pause_before_another_attempt_costs_nothing(
    caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("pause"), fresh("pause")
    provider.script(name, fails(500, headers=[("retry-after", "5")]), answer_honestly)
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello(f"stub/{name}"), request))
        assert provider.wait_for(lambda: bool(provider.heard(name)))
        assert eventually(caller.gateway.open_holds)
    row = caller.entry(request)
    assert (row.status, row.charge_nano, row.outcomes) == ("failed", 0, ["provider_error"])
    assert eventually(caller.books_agree)
    assert len(provider.heard(name)) == 1


def test_a_caller_who_leaves_in_the_middle_of_the_body_is_not_booked(uncharged: Caller) -> None:
    headers = uncharged.headers(Content_Length="1000")
    with Line(uncharged.gateway.port) as line:
        line.send(request_bytes("POST", CHAT, headers) + b'{"model":')
    assert uncharged.post(b"{}").status == 400


def test_a_caller_who_leaves_while_the_tokens_are_counted_is_booked(
    provider: ProviderStub, serving: Serving
) -> None:
    """The first count in a process reads a vocabulary, which leaves time to go away in the middle of it."""
    name, request = fresh("counting"), fresh("counting")
    provider.script(name, streams(gated=True, counts=False))
    with serving(stub_at(provider.url()) + ACME) as gateway:
        caller = acme_at(gateway)
        with Line(gateway.port) as line:
            line.send(caller.request(hello(f"stub/{name}", stream=True), request))
            provider.gate(name).open(len(PIECES))
            line.until(event(delta(PIECES[-1])))
            assert gateway.open_holds() == 1
            provider.gate(name).open()
            assert provider.wait_for(lambda: provider.bill(name).calls == 1)
        row = caller.entry(request)
        assert (row.status, bool(row.estimated)) == ("settled", True)
        assert row.meters["output"] >= len(PIECES)
        assert eventually(caller.books_agree)


def test_those_who_stay_are_not_hurt_by_those_who_leave(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("together")
    answer = b'{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    provider.script(name, replies(answer, gated=True))
    requests = [fresh("together") for _ in range(20)]
    lines = [Line(caller.gateway.port) for _ in requests]
    for line, request in zip(lines, requests, strict=True):
        line.send(caller.request(hello(f"stub/{name}"), request))
    assert provider.wait_for(lambda: len(provider.heard(name)) == len(requests))
    for line in lines[::2]:
        line.leave()
    assert provider.wait_for(lambda: sum(heard.left for heard in provider.heard(name)) == 10, NOTICED_WITHIN)
    provider.gate(name).open(20)
    assert [line.answer().status for line in lines[1::2]] == [200] * 10
    for line in lines[1::2]:
        line.leave()
    statuses = [caller.entry(request).status for request in requests]
    assert statuses == ["unsettled", "settled"] * 10
    assert eventually(caller.books_agree)
