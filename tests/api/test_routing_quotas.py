"""Limits of providers' keys: which key is taken, and who goes elsewhere, waits, or is to come back."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait

from tests.support.caller import fresh, hello
from tests.support.gateway_server import WebProcess
from tests.support.occupying import occupying
from tests.support.provider_scripts import answer_honestly, fails
from tests.support.provider_stub import Turn
from tests.support.raw_http import exchange
from tests.support.routing_gateways import BAD_SECRET, GOOD_SECRET, PLACES, RPM, Routed
from tests.support.small_configurations import CALL_NANO

SOON = 2.0


async def _knows_one_key(turn: Turn) -> None:
    known = turn.heard.headers["authorization"] == f"Bearer {GOOD_SECRET}"
    await (answer_honestly if known else fails(401))(turn)


def test_a_key_that_is_refused_rests_and_another_one_takes_over(routed: Routed) -> None:
    caller, name = routed.caller("hurried"), fresh("rotated")
    routed.ill.script(name, _knows_one_key)

    def outcomes(web: WebProcess) -> list[str]:
        request = fresh("rotated")
        assert exchange(web.port, caller.request(hello(f"keyed/{name}"), request)).status == 200
        row = caller.entry(request)
        assert (row.status, row.charge_nano) == ("settled", CALL_NANO)
        return row.outcomes

    for web in routed.gateway.webs:
        assert outcomes(web) == ["provider_credentials", "ok"]
        assert [outcomes(web) for _ in range(3)] == [["ok"]] * 3


def test_who_finds_no_place_goes_to_the_fallback_for_it(routed: Routed) -> None:
    hurried = routed.caller("hurried")
    with occupying(routed, "narrow") as calls:
        calls.occupy(routed.caller("patient"))
        request = fresh("yielding")
        answer = hurried.chat(f"yielding/{fresh('any')}", request)
        row = hurried.entry(request)
    assert (answer.status, answer.header("x-gateway-provider")) == (200, "well")
    assert ([one["deployment"] for one in row.attempts], row.outcomes) == (["well/roomy"], ["ok"])
    assert row.charge_nano == CALL_NANO


def test_who_may_not_wait_is_told_to_come_back(routed: Routed) -> None:
    hurried = routed.caller("hurried")
    with occupying(routed, "narrow") as calls:
        calls.occupy(routed.caller("patient"))
        request = fresh("refused")
        answer = hurried.chat(f"narrow/{fresh('any')}", request)
        row = hurried.entry(request)
    assert (answer.status, answer.json()["error"]["code"]) == (429, "quota_used_up")
    assert int(answer.header("retry-after") or 0) >= 1
    assert (row.status, row.outcomes, row.charge_nano) == ("failed", [], 0)


def test_who_may_wait_does_so_at_whatever_process(routed: Routed) -> None:
    patient = routed.caller("patient")
    with occupying(routed, "narrow") as calls, ThreadPoolExecutor(3) as pool:
        calls.occupy(patient)
        waiting = [
            pool.submit(exchange, web.port, patient.request(hello(f"narrow/{fresh('any')}")))
            for web in routed.gateway.webs
        ]
        calls.settle_down()
        assert not wait(waiting, timeout=0).done
        calls.answer()
        assert [one.result().status for one in waiting] == [200] * len(waiting)


def test_who_has_little_time_waits_no_longer_than_that(routed: Routed) -> None:
    patient = routed.caller("patient")
    with occupying(routed, "narrow") as calls:
        calls.occupy(patient)
        began = time.monotonic()
        answer = patient.chat(f"narrow/{fresh('any')}", X_Gateway_Timeout="0.5")
        assert time.monotonic() < began + 0.5 + SOON
    assert (answer.status, answer.json()["error"]["code"]) == (429, "quota_used_up")


def test_so_many_calls_a_minute_go_to_the_provider_and_no_more(routed: Routed) -> None:
    caller, name = routed.caller("hurried"), fresh("minute")
    began = time.time()
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(caller.chat, f"minute/{name}") for _ in range(4 * RPM)]
        answers = [one.result() for one in asked]
    minutes = int(time.time() // 60 - began // 60) + 1
    statuses = Counter(answer.status for answer in answers)
    assert statuses[200] == len(routed.ill.heard(name))
    assert RPM <= statuses[200] <= RPM * minutes
    assert statuses[200] + statuses[429] == 4 * RPM
    refused = [answer for answer in answers if answer.status == 429]
    assert all(1 <= int(answer.header("retry-after") or 0) <= 60 for answer in refused)


def test_two_keys_share_what_comes(routed: Routed) -> None:
    patient = routed.caller("patient")
    with occupying(routed, "two") as calls:
        for _ in range(2 * PLACES):
            calls.occupy(patient)
        name = calls.name
        keys = [heard.headers["authorization"] for heard in routed.ill.heard(name)]
    expected = [f"Bearer {BAD_SECRET}", f"Bearer {GOOD_SECRET}"]
    for taken in range(2, 2 * PLACES + 1, 2):
        assert Counter(keys[:taken]) == Counter(expected * (taken // 2))


def test_two_keys_hold_what_both_allow_over_all_processes(routed: Routed) -> None:
    hurried = routed.caller("hurried")
    with occupying(routed, "two") as calls, ThreadPoolExecutor(16) as pool:
        model = f"two/{calls.name}"
        asked = [pool.submit(hurried.chat, model) for _ in range(2 * PLACES)]
        assert calls.reaches(2 * PLACES)
        assert hurried.chat(model).status == 429
        keys = Counter(heard.headers["authorization"] for heard in routed.ill.heard(calls.name))
        calls.answer(2 * PLACES)
        assert {one.result().status for one in asked} == {200}
    assert keys == {f"Bearer {BAD_SECRET}": PLACES, f"Bearer {GOOD_SECRET}": PLACES}
