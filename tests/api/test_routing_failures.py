"""What becomes of a call whose provider fails, way by way: status, attempts, bill and breaker."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.caller import Caller, fresh, hello
from tests.support.gateway_server import Row, WebProcess
from tests.support.provider_scripts import (
    answer_honestly,
    cut_json,
    fails,
    fall_silent,
    replies,
    reset,
    streams,
)
from tests.support.provider_stub import Script
from tests.support.raw_http import Answer, exchange
from tests.support.routing_gateways import THRESHOLD, Routed
from tests.support.small_configurations import CALL_NANO

TRIES = 3
"""In all, where a failure is worth another try."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to fail, and what is to come of it."""

    script: Script
    outcome: str
    status: int
    model: str = "alone"
    tries: int = TRIES
    is_billed: bool = False
    """The provider may have done the work, so the bound of each try is to be paid."""
    opens: bool = True
    retry_after: str | None = None
    members: dict[str, Any] = field(default_factory=dict)


CASES = {
    "accepts and is silent": Case(
        script=fall_silent, model="hasty", outcome="provider_timeout", status=504, is_billed=True
    ),
    "is silent before the first word of a stream": Case(
        script=streams(silent_after=0),
        model="hasty",
        outcome="provider_timeout",
        status=504,
        is_billed=True,
        members={"stream": True},
    ),
    "cuts its JSON": Case(script=cut_json, outcome="provider_cut", status=502, is_billed=True),
    "tells half a JSON": Case(
        script=replies(b'{"choices": ['), outcome="provider_malformed", status=502, is_billed=True
    ),
    "resets before the head": Case(script=reset, outcome="provider_cut", status=502, is_billed=True),
    "refuses the connection": Case(
        script=fall_silent, model="gone", outcome="provider_unreachable", status=502
    ),
    "500": Case(script=fails(500), outcome="provider_error", status=502),
    "529": Case(script=fails(529), outcome="provider_error", status=503),
    "429 for long": Case(
        script=fails(429, headers=[("retry-after", "30")]),
        outcome="provider_rate_limited",
        status=429,
        tries=1,
        opens=False,
        retry_after="30",
    ),
    "401": Case(script=fails(401), outcome="provider_credentials", status=502, opens=False),
}
REFUSALS = {
    "context_length_exceeded": (fails(400, code="context_length_exceeded"), "long"),
    "content_policy_violation": (fails(400, code="content_policy_violation"), "lenient"),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
refusals = pytest.mark.parametrize("code", REFUSALS)


def _ask(caller: Caller, web: WebProcess, model: str, **members: Any) -> tuple[Answer, Row]:
    request = fresh("failing")
    answer = exchange(web.port, caller.request(hello(model, **members), request))
    return answer, caller.entry(request)


def _billed(row: Row) -> int:
    """What is to be paid for tries that nobody saw the end of."""
    return sum(attempt["unknown_nano"] for attempt in row.attempts)


@cases
def test_a_call_that_nobody_else_can_take(routed: Routed, case: Case) -> None:
    caller, name, web = routed.caller("hurried"), fresh("alone"), routed.gateway.webs[0]
    routed.ill.script(name, case.script)
    answer, row = _ask(caller, web, f"{case.model}/{name}", **case.members)
    assert (answer.status, answer.json()["error"]["code"]) == (case.status, case.outcome)
    assert answer.header("retry-after") == case.retry_after or case.retry_after is None
    assert row.outcomes == [case.outcome] * case.tries
    assert row.status == ("unsettled" if case.is_billed else "failed")
    assert row.charge_nano == _billed(row)
    assert [attempt["unknown_nano"] > 0 for attempt in row.attempts] == [case.is_billed] * case.tries
    if case.model != "gone":
        assert len(routed.ill.heard(name)) == case.tries


@cases
def test_a_call_that_another_deployment_takes(routed: Routed, case: Case) -> None:
    caller, name, web = routed.caller("hurried"), fresh("pair"), routed.gateway.webs[0]
    routed.ill.script(name, case.script)
    answer, row = _ask(caller, web, f"{case.model}-pair/{name}", **case.members)
    assert answer.status == 200
    assert row.outcomes == [case.outcome, "ok"]
    assert (row.status, row.provider) == ("settled", "well")
    assert row.charge_nano == CALL_NANO + _billed(row)
    assert (_billed(row) > 0) == case.is_billed
    assert len(routed.well.heard(name)) == 1


@cases
def test_the_breaker_opens_for_what_is_ill_alone(routed: Routed, case: Case) -> None:
    """A call goes past an open one, and is told of nothing but the well deployment's answer."""
    caller, name, web = routed.caller("hurried"), fresh("opened"), routed.gateway.webs[0]
    routed.ill.script(name, case.script)
    model = f"{case.model}-pair/{name}"
    for _ in range(THRESHOLD):
        _, row = _ask(caller, web, model, **case.members)
        assert row.outcomes == [case.outcome, "ok"]
    _, row = _ask(caller, web, model, **case.members)
    assert row.outcomes == (["ok"] if case.opens else [case.outcome, "ok"])


def test_a_stream_that_stalls_is_told_so_and_paid_as_far_as_it_came(routed: Routed) -> None:
    caller, name, web = routed.caller("hurried"), fresh("stalled"), routed.gateway.webs[0]
    routed.ill.script(name, streams(silent_after=2))
    answer, row = _ask(caller, web, f"hasty-pair/{name}", stream=True)
    assert answer.status == 200
    assert b'"provider_timeout"' in answer.body
    assert b"[DONE]" not in answer.body
    assert row.outcomes == ["provider_timeout"]
    assert (row.status, row.estimated, row.meters["output"]) == ("settled", True, 2)
    assert 0 < row.charge_nano < CALL_NANO
    assert routed.well.heard(name) == []


def test_a_short_pause_that_the_provider_asks_for_is_made(routed: Routed) -> None:
    caller, name, web = routed.caller("hurried"), fresh("paused"), routed.gateway.webs[0]
    routed.ill.script(name, fails(429, headers=[("retry-after", "1")]), answer_honestly)
    answer, row = _ask(caller, web, f"alone/{name}")
    assert answer.status == 200
    assert row.outcomes == ["provider_rate_limited", "ok"]
    assert row.charge_nano == CALL_NANO


@refusals
def test_what_is_wrong_with_the_request_is_told(routed: Routed, code: str) -> None:
    caller, name, web = routed.caller("hurried"), fresh("wrong"), routed.gateway.webs[0]
    routed.ill.script(name, REFUSALS[code][0])
    for _ in range(THRESHOLD + 1):  # a caller's mistakes open nothing
        answer, row = _ask(caller, web, f"alone-pair/{name}")
        assert (answer.status, answer.json()["error"]["code"]) == (400, code)
        assert (row.outcomes, row.status, row.charge_nano) == ([code], "failed", 0)
    assert routed.well.heard(name) == []


@refusals
def test_what_is_wrong_with_the_request_leads_to_the_fallback_for_it(routed: Routed, code: str) -> None:
    script, fallback = REFUSALS[code]
    caller, name, web = routed.caller("hurried"), fresh("caused"), routed.gateway.webs[0]
    routed.ill.script(name, script)
    answer, row = _ask(caller, web, f"caused/{name}")
    assert answer.status == 200
    assert row.outcomes == [code, "ok"]
    assert [attempt["deployment"] for attempt in row.attempts] == [f"ill/{name}", f"well/{fallback}"]
    assert row.charge_nano == CALL_NANO
