"""Calls that wait for their own tenant's limits: in which order, how long, how many, and who leaves."""

import time

from tests.support.caller import Caller, fresh, hello
from tests.support.occupying import Occupying, occupying
from tests.support.raw_http import Line, exchange
from tests.support.routing_gateways import Routed
from tests.support.waiting import eventually

WAITS_SECONDS = 5.0


def test_calls_of_one_place_are_all_answered_and_the_urgent_one_first(routed: Routed) -> None:
    ordinary, urgent = routed.caller("single"), routed.caller("single", key=2)
    port = routed.gateway.webs[0].port
    assert exchange(port, urgent.request(hello("spare"))).status == 200  # a key is looked for but once
    with occupying(routed, "alone") as calls:
        begun = [calls.occupy(ordinary)]
        begun += [calls.call(ordinary, f"ordinary-{fresh('call')}") for _ in range(3)]
        calls.settle_down()
        begun.append(calls.call(urgent, f"urgent-{fresh('call')}"))
        calls.settle_down()
        assert len(calls.heard) == 1
        for answered in range(1, 5):
            calls.answer()
            assert calls.reaches(answered + 1)
        calls.answer()
        assert [one.answer().status for one in begun] == [200] * 5
        assert [name.partition("-")[0] for name in calls.heard[1:]] == ["urgent"] + ["ordinary"] * 3


def test_calls_at_all_processes_come_to_their_turn(routed: Routed) -> None:
    caller = routed.caller("single")
    with occupying(routed, "alone") as calls:
        calls.answer(5)
        begun = [calls.call(caller) for _ in range(4)]
        assert caller.chat(f"alone/{calls.name}").status == 200
        assert [one.answer().status for one in begun] == [200] * 4


def test_who_would_wait_in_vain_is_told_at_once(routed: Routed) -> None:
    caller = routed.caller("seldom")
    assert caller.chat("spare").status == 200
    began = time.monotonic()
    answer = caller.chat("spare")
    assert time.monotonic() < began + WAITS_SECONDS - 1
    assert (answer.status, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert int(answer.header("retry-after") or 0) > WAITS_SECONDS


def _fill(calls: Occupying, caller: Caller) -> list[Line]:
    """One call at the provider, and as many in line as may be."""
    calls.occupy(caller)
    lines = []
    for number in range(2):
        lines.append(calls.call(caller, f"waiting-{number}"))
        calls.settle_down()
    return lines


def test_a_line_that_is_full_is_told_so(routed: Routed) -> None:
    caller, port = routed.caller("short"), routed.gateway.webs[0].port
    with occupying(routed, "alone") as calls:
        lines = _fill(calls, caller)
        answer = exchange(port, caller.request(hello(f"alone/{calls.name}")))
        assert (answer.status, answer.json()["error"]["code"]) == (429, "queue_full")
        assert int(answer.header("retry-after") or 0) >= 1
        calls.answer(3)
        assert [line.answer().status for line in lines] == [200, 200]


def test_who_leaves_makes_room_in_line(routed: Routed) -> None:
    caller = routed.caller("short")
    with occupying(routed, "alone") as calls:
        leaving, staying = _fill(calls, caller)

        def waiting() -> Line | None:
            line = calls.call(caller, "late")
            calls.settle_down()
            if line.is_quiet():
                return line
            line.leave()
            return None

        assert waiting() is None
        leaving.leave()
        line = eventually(waiting)
        assert line is not None
        calls.answer(3)
        assert [staying.answer().status, line.answer().status] == [200, 200]
        assert calls.heard[1:] == ["waiting-1", "late"]
