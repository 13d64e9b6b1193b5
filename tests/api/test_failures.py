"""A provider that fails: another attempt, another deployment, or an error that tells no secrets."""

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh, hello
from tests.support.gateways import PROVIDER_SECRET
from tests.support.provider_scripts import (
    answer_honestly,
    completion,
    cut_json,
    fails,
    fall_silent,
    replies,
)
from tests.support.provider_stub import ProviderStub, Script, Turn
from tests.support.raw_http import Line
from tests.support.refusals import refused
from tests.support.small_configurations import CALL_NANO, OUTPUT_NANO
from tests.support.waiting import eventually

LEAST_BOUND_NANO = 100 * OUTPUT_NANO
"""The most that an answer may cost, for those whose end nobody saw."""


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("failing")


def test_two_failures_and_an_answer_are_one_entry(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("third"), fresh("third")
    provider.script(name, fails(500), fails(503), answer_honestly)
    assert caller.chat(f"stub/{name}", request).status == 200
    row = caller.entry(request)
    assert row.outcomes == ["provider_error", "provider_error", "ok"]
    assert [attempt["status"] for attempt in row.attempts] == [500, 503, 200]
    assert (row.status, row.charge_nano) == ("settled", CALL_NANO)
    assert eventually(caller.books_agree)


def test_three_failures_are_told(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("never"), fresh("never")
    provider.script(name, fails(500, message=f"stack trace with {PROVIDER_SECRET}"))
    answer = caller.chat(f"stub/{name}", request)
    refused(answer, 502, "provider_error")
    assert PROVIDER_SECRET.encode() not in answer.body
    row = caller.entry(request)
    assert (row.status, row.charge_nano, len(row.attempts)) == ("failed", 0, 3)
    assert eventually(caller.books_agree)


FAILOVERS: dict[str, tuple[Script, str, bool]] = {
    "500": (fails(500), "provider_error", False),
    "529": (fails(529), "provider_error", False),
    "429": (fails(429), "provider_rate_limited", False),
    "401": (fails(401), "provider_credentials", False),
    "404": (fails(404), "provider_credentials", False),
    "redirect": (fails(307, headers=[("location", "http://127.0.0.1:9/")]), "provider_error", False),
    "cut in the middle": (cut_json, "provider_cut", True),
    "no JSON": (replies(b"<html>busy</html>"), "provider_malformed", True),
    "half an object": (replies(b'{"choices":[{}]'), "provider_malformed", True),
    "no choices": (replies(b'{"id":"x"}'), "provider_malformed", True),
    "empty": (replies(b'{"choices":[]}'), "provider_empty", True),
}


@pytest.mark.parametrize(("script", "outcome", "unseen"), FAILOVERS.values(), ids=FAILOVERS)
def test_another_deployment_takes_over(
    caller: Caller, provider: ProviderStub, script: Script, outcome: str, unseen: bool
) -> None:
    """Work that the first may have done unseen is booked at its bound beside the answer."""
    name, request = fresh("over"), fresh("over")
    provider.script(name, script, answer_honestly)
    answer = caller.chat(f"pair/{name}", request)
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "spare")
    assert [heard.path for heard in provider.heard(name)] == [
        "/v1/chat/completions",
        "/spare/v1/chat/completions",
    ]
    row = caller.entry(request)
    assert (row.status, row.provider, row.outcomes) == ("settled", "spare", [outcome, "ok"])
    if unseen:
        assert row.charge_nano >= CALL_NANO + LEAST_BOUND_NANO
        assert row.estimated
    else:
        assert row.charge_nano == CALL_NANO
    assert eventually(caller.books_agree)


def test_a_provider_that_is_not_there_costs_nothing(caller: Caller) -> None:
    request = fresh("gone")
    answer = caller.chat("gone/any", request)
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "spare")
    row = caller.entry(request)
    assert (row.outcomes, row.charge_nano) == (["provider_unreachable", "ok"], CALL_NANO)


def test_silence_is_waited_for_no_longer_than_the_provider_has(
    caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("silent"), fresh("silent")
    provider.script(name, fall_silent, answer_honestly)
    answer = caller.chat(f"hasty/{name}", request)
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "spare")
    assert provider.heard(name)[0].left
    row = caller.entry(request)
    assert row.outcomes == ["provider_timeout", "ok"]
    assert row.charge_nano >= CALL_NANO + LEAST_BOUND_NANO
    assert eventually(caller.books_agree)


def test_silence_is_waited_for_no_longer_than_the_caller_has(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("deadline"), fresh("deadline")
    provider.script(name, fall_silent)
    refused(caller.chat(f"stub/{name}", request, X_Gateway_Timeout="0.3"), 504, "deadline_exceeded")
    row = caller.entry(request)
    assert (row.status, row.outcomes) == ("unsettled", ["deadline_exceeded"])
    assert row.charge_nano >= LEAST_BOUND_NANO
    assert provider.wait_for(lambda: provider.heard(name)[0].left, 1.0)
    assert eventually(caller.books_agree)


def test_a_providers_limit_is_told_with_its_pause(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("limit"), fresh("limit")
    provider.script(name, fails(429, headers=[("retry-after", "7")], message="org-secret is limited"))
    answer = caller.chat(f"stub/{name}", request, X_Gateway_Timeout="2")
    error = refused(answer, 429, "provider_rate_limited")
    assert error["type"] == "rate_limit_error"
    assert answer.header("retry-after") == "7"
    assert b"org-secret" not in answer.body
    assert (caller.entry(request).status, caller.entry(request).charge_nano) == ("failed", 0)


def test_a_caller_is_not_held_for_a_providers_long_pause(caller: Caller, provider: ProviderStub) -> None:
    """A minute is the caller's to wait, not the gateway's: it tells when to come back."""
    name = fresh("pause")
    provider.script(name, fails(429, headers=[("retry-after", "60")]))
    answer = caller.chat(f"stub/{name}")
    refused(answer, 429, "provider_rate_limited")
    assert answer.header("retry-after") == "60"
    assert len(provider.heard(name)) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_providers_refusal_of_our_key_is_no_business_of_the_caller(
    caller: Caller, provider: ProviderStub, status: int
) -> None:
    name, request = fresh("key"), fresh("key")
    provider.script(name, fails(status, message=f"bad key {PROVIDER_SECRET} of org-secret"))
    answer = caller.chat(f"stub/{name}", request)
    refused(answer, 502, "provider_credentials")
    assert PROVIDER_SECRET.encode() not in answer.body
    assert b"org-secret" not in answer.body
    assert (caller.entry(request).status, caller.entry(request).charge_nano) == ("failed", 0)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_a_provider_says_of_the_request_is_passed_on_and_not_tried_again(
    caller: Caller, provider: ProviderStub, status: int
) -> None:
    name, request = fresh("rejected"), fresh("rejected")
    provider.script(name, fails(status, message="temperature is too high"))
    error = refused(caller.chat(f"pair/{name}", request), status, "provider_rejected")
    assert error["message"] == "temperature is too high"
    assert len(provider.heard(name)) == 1
    assert (caller.entry(request).status, caller.entry(request).charge_nano) == ("failed", 0)


def test_a_prompt_that_is_too_long_is_named_so(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("long")
    provider.script(name, fails(400, message="too long", code="context_length_exceeded"))
    refused(caller.chat(f"stub/{name}"), 400, "context_length_exceeded")


@pytest.mark.parametrize(
    "usage",
    [None, {"prompt_tokens": "many"}, {"prompt_tokens": 1.5}],
    ids=["none", "text", "fraction"],
)
def test_an_answer_that_nobody_counted_is_counted_here(
    caller: Caller, provider: ProviderStub, usage: dict[str, object] | None
) -> None:
    name, request = fresh("uncounted"), fresh("uncounted")
    provider.script(name, replies(completion("one two three four five six seven", usage)))
    assert caller.chat(f"stub/{name}", request).status == 200
    row = caller.entry(request)
    assert (row.status, bool(row.estimated)) == ("settled", True)
    assert row.meters["input"] >= 1
    assert row.meters.get("output", 0) >= 7
    assert eventually(caller.books_agree)


def test_a_kept_connection_that_the_provider_closes_on_a_call_may_have_been_one(
    caller: Caller, provider: ProviderStub
) -> None:
    """Closed without a byte of an answer: it may be the end of its rest, or the end of work that was done.

    Both calls come on one connection, and so to one process.
    """
    name, first, second = fresh("idle"), fresh("idle"), fresh("idle")

    async def close_when_reused(turn: Turn) -> None:
        if turn.heard.reused:
            turn.cut()
        else:
            await answer_honestly(turn)

    provider.script(name, close_when_reused)
    with Line(caller.gateway.port) as line:
        for request in (first, second):
            line.send(caller.request(hello(f"idle/{name}"), request))
            assert line.answer().status == 200
    assert [heard.reused for heard in provider.heard(name)] == [False, True, False]
    assert caller.entry(first).charge_nano == CALL_NANO
    assert caller.entry(second).outcomes == ["provider_cut", "ok"]
    assert caller.entry(second).charge_nano >= CALL_NANO + LEAST_BOUND_NANO


def test_nonsense_counts_are_no_credit(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("nonsense"), fresh("nonsense")
    usage = {
        "prompt_tokens": -1_000_000,
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 9},
    }
    provider.script(name, replies(completion("hello", usage)))
    assert caller.chat(f"stub/{name}", request).status == 200
    assert caller.entry(request).charge_nano == 5 * OUTPUT_NANO
