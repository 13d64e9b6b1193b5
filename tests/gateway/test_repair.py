"""Answers that are checked: what is wrong with one, the one repair, and what all of it costs."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from gateway.call import Ask
from gateway.errors import ProviderCut
from gateway.principal import Checks, Policy
from gateway.steps.check import AnswerInvalid, problem_of
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, Rig, make_account, make_ask
from tests.support.script import Act, answers, completes, fails

JSON = {"type": "json_object"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"required": ["a"]}}}
STANDARD, STRICT = Checks(level="standard"), Checks(level="strict")
GOOD = completes('{"a":1}', 20, 6)
BAD = completes("here you are", 10, 5)


def body(content: Any = "hello", finish_reason: str = "stop", **message: Any) -> bytes:
    told = {"message": {"content": content, **message}, "finish_reason": finish_reason}
    return msgspec.json.encode({"choices": [told]})


def asking(response_format: Mapping[str, Any] | None = None, **members: Any) -> Ask:
    return make_ask(**members if response_format is None else members | {"response_format": response_format})


def rig_of(*acts: Act, clock: FakeClock, checks: Checks = STANDARD, **more: Any) -> Rig:
    return Rig(*acts, clock=clock, policy=Policy(cache="off", checks=checks), **{"accounts": BOUNDED} | more)


@pytest.mark.parametrize(
    ("level", "ask", "answer", "told"),
    [
        ("basic", asking(), body(), None),
        ("basic", asking(), body(""), "it says nothing"),
        ("basic", asking(), body(" \n"), "it says nothing"),
        ("basic", asking(), body(None), "it says nothing"),
        ("basic", asking(), body([{"type": "text", "text": "hi"}]), None),
        ("basic", asking(JSON), body(None, tool_calls=[{"id": "1"}]), None),
        ("basic", asking(JSON), body(None, refusal="I cannot"), None),
        ("basic", asking(JSON), body('{"a":1}'), None),
        ("basic", asking(JSON), body("hello"), "it is not JSON"),
        ("basic", asking(JSON), body("```json\n{}\n```"), "it is not JSON"),
        ("basic", asking(JSON), body("[1]"), "it is not a JSON object"),
        ("basic", asking({"type": "text"}), body("hello"), None),
        ("basic", make_ask(response_format=None), body(""), "it says nothing"),
        ("basic", make_ask(response_format={"type": 7}), body("hello"), None),
        ("basic", asking(SCHEMA), body("hello"), "it is not JSON"),
        ("basic", asking(SCHEMA), body("{}"), None),
        ("standard", asking(SCHEMA), body("{}"), "it breaks 'required' at # of its schema"),
        ("standard", asking(SCHEMA), body('{"a":1}'), None),
        ("standard", asking(), body(finish_reason="length"), None),
        ("strict", asking(), body(finish_reason="length"), "it was cut off before its end"),
        ("strict", asking(), body(finish_reason="content_filter"), "its provider withheld a part of it"),
        ("off", asking(JSON), body("hello"), None),
        ("strict", make_ask(stream=True), b"", None),
        ("strict", asking(), b'{"choices":7}', None),
    ],
)
def test_each_level_asks_for_more(level: Any, ask: Ask, answer: bytes, told: str | None) -> None:
    problem = problem_of(ask, answer, Checks(level=level))
    assert (problem and problem.told) == told


def test_a_forbidden_word_is_found_in_whatever_case_and_not_told() -> None:
    problem = problem_of(asking(), body("The SECRET plan"), Checks(level="basic", forbidden=("secret",)))
    assert problem is not None
    assert "secret" not in problem.told.lower()
    assert problem.text == ""


async def test_the_model_is_told_what_was_wrong_and_both_answers_are_paid(clock: FakeClock) -> None:
    rig = rig_of(BAD, GOOD, clock=clock)
    outcome = await rig.run(asking(JSON))
    assert b'{\\"a\\":1}' in outcome.reply.body
    first, second = (msgspec.json.decode(one.body)["messages"] for one in rig.script.requests)
    assert second[: len(first)] == first
    assert second[len(first)] == {"role": "assistant", "content": "here you are"}
    assert "it is not JSON" in second[-1]["content"]
    assert (outcome.charge_nano, rig.entry.charge_nano) == (30 * 1000 + 11 * 2000,) * 2
    assert (rig.entry.status, rig.entry.meters.input, rig.entry.meters.output) == ("settled", 30, 11)
    assert [one.outcome for one in rig.entry.attempts] == ["answer_invalid", "ok"]
    checker = rig.gateway.upstream.checker
    assert (checker.checked, checker.repaired, checker.refused) == (1, 1, 0)
    rig.assert_balanced()


async def test_silence_is_asked_the_same_once_more(clock: FakeClock) -> None:
    rig = rig_of(completes(""), completes("hello"), clock=clock)
    await rig.run()
    first, second = rig.script.requests
    assert first.body == second.body


async def test_an_answer_that_stays_wrong_is_an_error_and_paid_for(clock: FakeClock) -> None:
    rig = rig_of(BAD, clock=clock)
    with pytest.raises(AnswerInvalid, match="it is not JSON") as caught:
        await rig.run(asking(JSON))
    assert (caught.value.code, caught.value.status) == ("answer_invalid", 502)
    assert len(rig.script.requests) == 2
    assert (rig.entry.status, rig.entry.charge_nano) == ("settled", 2 * (10 * 1000 + 5 * 2000))
    assert [one.outcome for one in rig.entry.attempts] == ["answer_invalid", "answer_invalid"]
    assert rig.gateway.board.states() == {} or set(dict(rig.gateway.board.states()).values()) == {"closed"}
    rig.assert_balanced()


@pytest.mark.parametrize(
    ("checks", "ask", "act"),
    [
        (Checks(level="standard", repairs=False), asking(JSON), BAD),
        (STRICT, asking(), answers(body(finish_reason="length"))),
        (STANDARD, asking(SCHEMA | {"json_schema": {"schema": {"type": 7}}}), GOOD),
    ],
    ids=["not allowed", "would not help", "schema of no use"],
)
async def test_some_answers_are_not_repaired(clock: FakeClock, checks: Checks, ask: Ask, act: Act) -> None:
    rig = rig_of(act, clock=clock, checks=checks)
    with pytest.raises(AnswerInvalid):
        await rig.run(ask)
    assert len(rig.script.requests) == 1
    rig.assert_balanced()


async def test_no_repair_beyond_the_budget(clock: FakeClock) -> None:
    """One attempt fits, and what it came to is paid; two do not."""
    ask, free = asking(JSON), rig_of(BAD, clock=clock)
    one = free.admitted(free.call(ask)).hold.amounts.nano
    for limit, asked in ((one, 1), (2 * one, 1), (3 * one, 2)):
        rig = rig_of(BAD, clock=clock, accounts=(make_account("nano", limit),))
        with pytest.raises(AnswerInvalid):
            await rig.run(ask)
        assert len(rig.script.requests) == asked
        assert rig.entry.charge_nano == asked * (10 * 1000 + 5 * 2000)
        assert rig.spent("nano") == rig.entry.charge_nano


async def test_a_repair_that_fails_leaves_the_first_problem(clock: FakeClock) -> None:
    rig = rig_of(BAD, fails(ProviderCut()), clock=clock)
    with pytest.raises(AnswerInvalid, match="it is not JSON"):
        await rig.run(asking(JSON))
    assert [one.outcome for one in rig.entry.attempts] == ["answer_invalid", "provider_cut"]
    assert [line.meter for line in rig.entry.lines] == ["input", "output", "bound"]
    assert rig.entry.meters.input == 10
    rig.assert_balanced()


async def test_where_nobody_counted_the_spoiled_answer_stands_at_its_bound(clock: FakeClock) -> None:
    rig = rig_of(answers(body("no json")), GOOD, clock=clock)
    await rig.run(asking(JSON))
    assert rig.entry.attempts[0].unknown_nano > 0
    assert rig.entry.estimated
    rig.assert_balanced()
