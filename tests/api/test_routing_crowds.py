"""Many who ask the same are one call of the provider, and many small ones few; each is booked for itself."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.support.caller import Caller, fresh, hello
from tests.support.crowd import Call, Made, make_all
from tests.support.gateway_server import Row
from tests.support.provider_paces import answer_in_time
from tests.support.provider_scripts import PROMPT_TOKENS, answer_honestly, fails
from tests.support.provider_stub import Turn
from tests.support.raw_http import Line
from tests.support.routing_gateways import BATCH, TOGETHER, Routed
from tests.support.small_configurations import CALL_NANO, INPUT_NANO
from tests.support.waiting import eventually

EMBEDDINGS = "/v1/embeddings"
TEXTS = 1000
MORE_CALLS = 10
"""Beside those that are full: who comes first or last may find little company."""


def _booked(caller: Caller, made: Sequence[Made]) -> list[Row]:
    """The entries of these calls, once all are there."""
    names = {one.last.request for one in made}

    def look() -> list[Row] | None:
        rows = [row for row in caller.entries() if row.request_id in names]
        return rows if len(rows) >= len(names) else None

    rows = eventually(look, within=20.0)
    assert rows is not None
    assert len(rows) == len({row.request_id for row in rows}) == len(names)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(("calls", "stream"), [(500, False), (50, True)], ids=["whole", "streamed"])
async def test_those_who_ask_the_same_are_one_call_of_each_process(
    routed: Routed, calls: int, stream: bool
) -> None:
    caller, name = routed.caller("alike"), fresh("alike")
    routed.ill.script(name, answer_in_time)
    body = hello(f"alone/{name}", temperature=0, stream=stream, seconds=1.0)
    asked = [Call(name=fresh("alike"), caller=caller, stream=stream, whole=body) for _ in range(calls)]
    made = await make_all(asked)
    assert Counter(one.last.status for one in made) == {200: calls}
    assert all(one.answered for one in made)
    bill = routed.ill.bill(name)
    assert 1 <= bill.calls == len(routed.ill.heard(name)) <= len(routed.gateway.webs)
    rows = _booked(caller, made)
    assert Counter(row.status for row in rows) == {"settled": bill.calls, "cached": calls - bill.calls}
    assert sum(row.charge_nano for row in rows) == bill.calls * CALL_NANO


@pytest.mark.slow
async def test_many_embeddings_are_few_calls(routed: Routed) -> None:
    caller, name = routed.caller("hurried"), fresh("vectors")
    asked = [
        Call(name=fresh("text"), caller=caller, path=EMBEDDINGS, whole=_text(f"vectors/{name}", str(number)))
        for number in range(TEXTS)
    ]
    made = await make_all(asked)
    assert Counter(one.last.status for one in made) == {200: TEXTS}
    assert all(len(one.last.json()["data"]) == 1 for one in made)
    heard = routed.ill.heard(name)
    texts = [text for one in heard for text in _texts(one.member("input"))]
    assert sorted(texts, key=int) == [str(number) for number in range(TEXTS)]
    rows, bill = _booked(caller, made), routed.ill.bill(name)
    assert {row.status for row in rows} == {"settled"}
    assert sum(row.meters.get("input", 0) for row in rows) == bill.prompt_tokens == len(heard) * PROMPT_TOKENS
    assert sum(row.charge_nano for row in rows) == bill.prompt_tokens * INPUT_NANO
    assert len(heard) <= TEXTS // BATCH + MORE_CALLS * len(routed.gateway.webs)


def _text(model: str, text: str) -> bytes:
    return json.dumps({"model": model, "input": text}).encode()


def _texts(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


@pytest.fixture
def lines(routed: Routed) -> Iterator[list[Line]]:
    """As many to one process as it waits for to make a common call."""
    with ExitStack() as stack:
        port = routed.gateway.webs[0].port
        yield [stack.enter_context(Line(port)) for _ in range(TOGETHER)]


def _ask(lines: Sequence[Line], caller: Caller, model: str, *texts: str) -> list[str]:
    requests = [fresh("common") for _ in lines]
    for line, request, text in zip(lines, requests, texts, strict=True):
        line.send(caller.request(_text(f"threes/{model}", text), request, EMBEDDINGS))
    return requests


async def _answer_at_the_gate(turn: Turn) -> None:
    await turn.gate.passed()
    await answer_honestly(turn)


async def _refuse_bad_texts(turn: Turn) -> None:
    is_bad = "bad" in _texts(turn.heard.member("input"))
    await (fails(400, message="not this one") if is_bad else answer_honestly)(turn)


def test_who_leaves_a_common_call_pays_a_share_and_disturbs_nobody(routed: Routed, lines: list[Line]) -> None:
    caller, name = routed.caller("hurried"), fresh("leaving")
    routed.ill.script(name, _answer_at_the_gate)
    requests = _ask(lines, caller, name, "hello", "wide", "world")
    assert routed.ill.wait_for(lambda: len(routed.ill.heard(name)) == 1)
    lines[0].leave()
    routed.ill.gate(name).open()
    assert [line.answer().status for line in lines[1:]] == [200] * (TOGETHER - 1)
    rows = [caller.entry(request) for request in requests]
    assert [row.status for row in rows] == ["settled"] * TOGETHER
    assert sum(row.meters["input"] for row in rows) == PROMPT_TOKENS
    assert sum(row.charge_nano for row in rows) == PROMPT_TOKENS * INPUT_NANO
    assert len(routed.ill.heard(name)) == 1


def test_a_bad_text_in_a_common_call_fails_alone(routed: Routed, lines: list[Line]) -> None:
    caller, name = routed.caller("hurried"), fresh("bad")
    routed.ill.script(name, _refuse_bad_texts)
    requests = _ask(lines, caller, name, "good", "bad", "better")
    answers = [line.answer() for line in lines]
    rows = [caller.entry(request) for request in requests]
    refused, well = "provider_rejected", PROMPT_TOKENS * INPUT_NANO
    assert [answer.status for answer in answers] == [200, 400, 200]
    assert [row.status for row in rows] == ["settled", "failed", "settled"]
    assert [row.charge_nano for row in rows] == [well, 0, well]
    assert [row.outcomes for row in rows] == [[refused, "ok"], [refused, refused], [refused, "ok"]]
    assert len(routed.ill.heard(name)) == 1 + len(lines)
