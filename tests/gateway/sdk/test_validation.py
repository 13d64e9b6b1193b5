"""Answers that are checked before a script has them."""

from typing import Any

import pytest

from gateway.steps.check import AnswerInvalid
from tests.gateway.sdk.conftest import Make, entry
from tests.support.caller import fresh
from tests.support.provider_scripts import completion, replies
from tests.support.provider_stub import ProviderStub, Turn

JSON = {"type": "json_object"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"required": ["a"]}}}


def says(stub: ProviderStub, name: str, *texts: str) -> None:
    """The provider says these, one after the other; the last again and again."""
    left = list(texts)

    async def script(turn: Turn) -> None:
        await replies(completion(left.pop(0) if len(left) > 1 else left[0]))(turn)

    stub.script(name, script)


@pytest.mark.parametrize(
    ("fields", "options", "texts", "heard"),
    [
        ({}, {}, ("hello",), 1),
        ({}, {}, (" ", "hello"), 2),
        ({}, {"response_format": JSON}, ("hello", "{}"), 2),
        ({}, {"response_format": SCHEMA}, ("{}", '{"a": 1}'), 2),
        ({"validation_level": "basic"}, {"response_format": SCHEMA}, ("{}",), 1),
        ({"forbidden_words": ["Secret"]}, {}, ("a secret", "hello"), 2),
    ],
)
def test_an_answer_is_as_it_was_asked_for(
    make: Make, stub: ProviderStub, fields: dict[str, Any], options: dict[str, Any], texts: Any, heard: int
) -> None:
    name = fresh("m")
    says(stub, name, *texts)
    gateway = make(name, enable_validation=True, **fields)
    assert gateway.generate("hi", model=name, **options).text == texts[-1]
    assert len(stub.heard(name)) == heard
    assert gateway.validation_manager is not None
    assert gateway.validation_manager.stats == {"checked": 1, "repaired": heard - 1, "refused": 0}


@pytest.mark.parametrize(("repair", "heard"), [(True, 2), (False, 1)])
def test_an_answer_that_stays_wrong_is_an_error(
    make: Make, stub: ProviderStub, repair: bool, heard: int
) -> None:
    name = fresh("m")
    listed = [entry(stub, name, input_cost_per_token=1e-6, output_cost_per_token=1e-6)]
    gateway = make(model_list=listed, enable_validation=True, validation_repair=repair, fallbacks=["echo/e"])
    with pytest.raises(AnswerInvalid, match="it is not JSON"):
        gateway.generate("hi", model=name, response_format=JSON)
    assert len(stub.heard(name)) == heard
    assert float(gateway.get_usage_stats()["total_cost"]) == pytest.approx(heard * 18e-6)
    assert gateway.validation_manager is not None
    assert gateway.validation_manager.stats["refused"] == 1


def test_without_it_answers_come_as_they_are(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    says(stub, name, "no json")
    assert make(name).generate("hi", model=name, response_format=JSON).text == "no json"


def test_a_script_may_check_texts_of_its_own(make: Make) -> None:
    manager = make(fresh("m"), enable_validation=True, validation_level="strict").validation_manager
    assert manager is not None
    assert manager.level == "strict"
    assert manager.problem_of("hello") is None
    assert manager.problem_of("hello", JSON) == "it is not JSON"
    assert manager.problem_of("{}", SCHEMA) == "it breaks 'required' at # of its schema"
