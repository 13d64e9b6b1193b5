"""`Idempotency-Key` at the door: the same call twice is one call and one charge."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh, hello
from tests.support.provider_scripts import completion, replies
from tests.support.provider_stub import ProviderStub
from tests.support.small_configurations import CALL_NANO
from tests.support.waiting import eventually


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("passing")


@pytest.fixture
def model() -> str:
    return fresh("stub/once")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_same_call_twice_is_told_twice_and_charged_once(
    stream: bool, caller: Caller, provider: ProviderStub, model: str
) -> None:
    key = fresh("key")
    first, second = [
        caller.post(hello(model, stream=stream), f"{key}-{number}", idempotency_key=key) for number in (1, 2)
    ]
    assert (first.status, second.status) == (200, 200)
    assert second.body == first.body
    assert second.header("idempotent-replayed") == (None if stream else "true")
    booked = eventually(lambda: [row for row in caller.entries() if row.request_id.startswith(key)])
    assert [row.charge_nano for row in booked] == [CALL_NANO]
    assert provider.bill(model.removeprefix("stub/")).calls == 1


def test_the_same_key_with_another_body_is_a_conflict(caller: Caller, model: str) -> None:
    key = fresh("key")
    caller.post(hello(model), idempotency_key=key)
    answer = caller.post(hello(model, temperature=0), idempotency_key=key)
    assert answer.status == 409
    assert json.loads(answer.body)["error"]["code"] == "idempotency_conflict"


def test_those_who_come_together_get_one_answer(caller: Caller, provider: ProviderStub, model: str) -> None:
    name, key = model.removeprefix("stub/"), fresh("key")
    provider.script(name, replies(completion(), gated=True))
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(caller.post, hello(model), idempotency_key=key) for _ in range(5)]
        assert provider.wait_for(lambda: bool(provider.heard(name)), 10)
        provider.gate(name).open(5)
        answers = [call.result() for call in calls]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert provider.bill(name).calls == 1


@pytest.mark.parametrize("key", ["two words", "x" * 256, "ä"], ids=["space", "long", "not ASCII"])
def test_a_key_that_is_none_is_refused(key: str, caller: Caller, model: str) -> None:
    answer = caller.post(hello(model), idempotency_key=key)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["param"] == "Idempotency-Key"
