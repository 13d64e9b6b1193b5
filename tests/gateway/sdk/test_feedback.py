"""Ratings of answers, and who is asked first because of them."""

from typing import Any

import pytest

from gateway import GatewayConfig, LiteLLMGateway
from gateway.errors import FailedValidation
from gateway.sdk.gateway import FeatureOff
from tests.gateway.sdk.conftest import Make, entry
from tests.support.caller import fresh
from tests.support.provider_stub import ProviderStub


def rivals(make: Make, stub: ProviderStub, **fields: Any) -> tuple[LiteLLMGateway, str]:
    """A gateway with a model that has two deployments."""
    name = fresh("m")
    listed = [
        entry(stub, one, model=f"openai/{one}") | {"model_name": name} for one in (fresh("a"), fresh("b"))
    ]
    return make(model_list=listed, **{"enable_feedback_loop": True} | fields), name


def test_who_is_liked_better_is_asked_first(make: Make, stub: ProviderStub) -> None:
    gateway, name = rivals(make, stub)
    first = gateway.generate("hi", model=name)
    gateway.record_feedback(first, 0.0)
    others = {gateway.generate("hi", model=name).deployment for _ in range(5)}
    assert len(others) == 1
    assert first.deployment not in others
    worse = gateway.generate("hi", model=name)
    for _ in range(3):
        gateway.record_feedback(worse, False)
    assert {gateway.generate("hi", model=name).deployment for _ in range(5)} == {first.deployment}


def test_one_bad_word_does_not_outweigh_many_good_ones(make: Make, stub: ProviderStub) -> None:
    gateway, name = rivals(make, stub)
    liked = gateway.generate("hi", model=name)
    for score in (1, 1, 1, 1, 0):
        gateway.record_feedback(liked, score)
    assert {gateway.generate("hi", model=name).deployment for _ in range(5)} == {liked.deployment}


def test_ratings_can_be_looked_at(make: Make, stub: ProviderStub) -> None:
    gateway, name = rivals(make, stub)
    loop = gateway.feedback_loop
    assert loop is not None
    assert (loop.count, loop.satisfaction, loop.scores()) == (0, None, {})
    answer = gateway.generate("hi", model=name)
    gateway.record_feedback(answer, True)
    gateway.record_feedback(answer, 0.5)
    assert (loop.count, loop.satisfaction) == (2, 0.75)
    assert loop.scores() == {name: {answer.deployment: {"count": 2, "quality": 0.625}}}


def test_old_ratings_fade(make: Make, stub: ProviderStub) -> None:
    gateway, name = rivals(make, stub)
    loop, answer = gateway.feedback_loop, gateway.generate("hi", model=name)
    assert loop is not None
    for score in [1] * 200 + [0] * 100:
        loop.record(answer, score)
    assert loop.satisfaction == 0.5
    assert loop.count == 300


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), "good", None])
def test_a_score_is_from_nothing_to_one(make: Make, stub: ProviderStub, score: Any) -> None:
    gateway, name = rivals(make, stub)
    with pytest.raises(FailedValidation):
        gateway.record_feedback(gateway.generate("hi", model=name), score)


def test_without_it_nothing_is_collected(make: Make, stub: ProviderStub) -> None:
    gateway, name = rivals(make, stub, enable_feedback_loop=False)
    with pytest.raises(FeatureOff, match="enable_feedback_loop"):
        gateway.record_feedback(gateway.generate("hi", model=name), 1)


def test_an_answer_of_a_model_without_a_list_may_be_rated_too() -> None:
    with LiteLLMGateway(GatewayConfig(enable_feedback_loop=True)) as gateway:
        gateway.record_feedback(gateway.generate("hi", model="echo/echo"), 1)
        assert gateway.feedback_loop is not None
        assert gateway.feedback_loop.count == 1
