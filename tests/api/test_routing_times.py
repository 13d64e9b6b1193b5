"""Slow providers: a second try beside the first, times of models and of calls; hints for their caches."""

import time
from typing import Any

import pytest

from tests.support.anthropic_calls import MESSAGES
from tests.support.caller import fresh, hello
from tests.support.provider_scripts import fall_silent
from tests.support.raw_http import exchange
from tests.support.routing_gateways import Routed
from tests.support.small_configurations import CALL_NANO

ENOUGH = 20
"""Answers after which it is known how fast most of them come."""
PROMPT = 5.0
MARK = {"type": "ephemeral"}
SYSTEM = "Be kind."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_slow_deployment_gets_company(routed: Routed, stream: bool) -> None:
    caller, name, port = routed.caller("hurried"), fresh("hedged"), routed.gateway.webs[0].port
    body, request = hello(f"hedged/{name}", stream=stream), fresh("hedged")
    for _ in range(ENOUGH):
        assert exchange(port, caller.request(body)).status == 200
    assert routed.well.heard(name) == []
    routed.ill.script(name, fall_silent)
    began = time.monotonic()
    answer = exchange(port, caller.request(body, request))
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "well")
    assert time.monotonic() < began + PROMPT
    row = caller.entry(request)
    unseen = sum(attempt["unknown_nano"] for attempt in row.attempts)
    assert {one["deployment"]: one["outcome"] for one in row.attempts} == {
        f"well/{name}": "ok",
        f"ill/{name}": "outrun",
    }
    assert row.charge_nano == CALL_NANO + unseen
    assert unseen > 0


def test_a_model_waits_as_long_as_it_says(routed: Routed) -> None:
    """Its provider would be waited for much longer."""
    caller, name, request = routed.caller("hurried"), fresh("brisk"), fresh("brisk")
    routed.ill.script(name, fall_silent)
    began = time.monotonic()
    assert caller.chat(f"brisk/{name}", request).status == 200
    assert time.monotonic() < began + PROMPT
    row = caller.entry(request)
    assert (row.outcomes, row.provider) == (["provider_timeout", "ok"], "well")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_call_takes_no_longer_than_its_caller_says(routed: Routed, stream: bool) -> None:
    caller, name, request = routed.caller("hurried"), fresh("limited"), fresh("limited")
    routed.ill.script(name, fall_silent)
    began = time.monotonic()
    answer = caller.chat(f"alone-pair/{name}", request, {"stream": stream}, X_Gateway_Timeout="0.5")
    assert 0.5 <= time.monotonic() - began < 0.5 + PROMPT
    assert (answer.status, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    row = caller.entry(request)
    assert (row.outcomes, row.status) == (["deadline_exceeded"], "unsettled")
    assert row.charge_nano == row.attempts[0]["unknown_nano"] > 0
    assert routed.well.heard(name) == []


def _sent(routed: Routed, tenant: str, prefix: str, path: str, **members: Any) -> dict[str, Any]:
    """What the provider hears of a call."""
    name = fresh("hinted")
    turns = [{"role": "user", "content": "hello"}]
    body = hello(f"{prefix}/{name}", max_tokens=50, **{"messages": turns, **members})
    assert routed.caller(tenant).post(body, path=path).status == 200
    return routed.ill.heard(name)[0].asked


def test_a_host_that_understands_marks_is_given_them(routed: Routed) -> None:
    told = _sent(routed, "hinting", "claude", MESSAGES, system=SYSTEM)
    assert told["system"] == [{"type": "text", "text": SYSTEM, "cache_control": MARK}]
    assert told["messages"][-1]["content"] == [{"type": "text", "text": "hello", "cache_control": MARK}]


def test_a_host_that_may_not_is_given_nothing(routed: Routed) -> None:
    told = _sent(routed, "hinting", "alone", "/v1/chat/completions")
    assert set(told) == {"model", "messages", "max_tokens"}
    assert told["messages"] == [{"role": "user", "content": "hello"}]


def test_a_tenant_that_does_not_want_marks_gets_none(routed: Routed) -> None:
    told = _sent(routed, "hurried", "claude", MESSAGES, system=SYSTEM)
    assert told["system"] == SYSTEM
    assert told["messages"] == [{"role": "user", "content": "hello"}]
