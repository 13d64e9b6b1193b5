"""Aliases, fallbacks and strategies."""

import json
from typing import Any

import pytest

from providers.litellm_import.findings import Fate
from providers.litellm_import.translate import Imported
from tests.support.litellm_files import TWO_MODELS, imported, reasons


def routed(router: dict[str, Any] | None = None, settings: dict[str, Any] | None = None) -> Imported:
    more = {"router_settings": router or {}, "litellm_settings": settings or {}}
    return imported(TWO_MODELS + "".join(f"{name}: {json.dumps(told)}\n" for name, told in more.items()))


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("simple-shuffle", None),
        ("least-busy", "least_busy"),
        ("latency-based-routing", "latency"),
        ("cost-based-routing", "price"),
        ("usage-based-routing-v2", None),
    ],
)
def test_strategies_are_every_models(name: str, strategy: str | None) -> None:
    result = routed({"routing_strategy": name})
    assert {model.get("strategy") for model in result.sections["models"].values()} == {strategy}
    assert result.of(Fate.LEFT) == []


def test_a_strange_strategy_is_left() -> None:
    assert "router_settings.routing_strategy" in reasons(routed({"routing_strategy": "dice"}), Fate.LEFT)


def test_aliases_that_lead_to_models_are_taken() -> None:
    aliases = {"a": "one", "b": {"model": "a", "hidden": True}, "c": "openai/gpt-9"}
    wrong = {"one": "two", "x": "gone", "y": "z", "z": "y", "s*": "one", "two words": "one"}
    result = routed({"model_group_alias": {**aliases, **wrong}})
    assert result.sections["aliases"] == {"a": "one", "b": "a", "c": "openai/gpt-9"}
    assert len(result.of(Fate.LEFT)) == len(wrong)
    assert "router_settings.model_group_alias.b.hidden" in reasons(result, Fate.CHANGED)


def test_fallbacks_are_told_by_cause() -> None:
    result = routed(
        {"fallbacks": [{"one": ["two"]}], "context_window_fallbacks": [{"one": ["two"]}]},
        {"content_policy_fallbacks": [{"two": ["one", "openai/gpt-9"]}]},
    )
    assert result.sections["models"]["one"]["fallbacks"] == {"any": ["two"], "context_length": ["two"]}
    assert result.sections["models"]["two"]["fallbacks"] == {"content_policy": ["one", "openai/gpt-9"]}
    assert result.of(Fate.LEFT) == []


def test_fallbacks_for_all_are_for_those_that_have_none_and_not_for_themselves() -> None:
    result = routed({"fallbacks": [{"one": ["two"]}], "default_fallbacks": ["one"]})
    fallbacks = {name: model.get("fallbacks") for name, model in result.sections["models"].items()}
    assert fallbacks == {"one": ["two"], "two": ["one"], "openai/*": ["one"]}
    starred = routed({"fallbacks": [{"*": ["one"]}]})
    assert starred.sections["models"]["two"]["fallbacks"] == ["one"]
    assert "fallbacks" not in starred.sections["models"]["one"]


def test_a_model_that_a_pattern_covers_gets_a_row_for_its_fallbacks() -> None:
    result = routed({"fallbacks": [{"openai/gpt-9": ["one"]}]})
    assert result.sections["models"]["openai/gpt-9"] == {
        "deployments": [{"provider": "openai", "model": "gpt-9"}],
        "fallbacks": ["one"],
    }


def test_the_fallbacks_of_an_alias_are_its_models() -> None:
    result = routed({"model_group_alias": {"a": "one"}, "fallbacks": [{"a": ["two"]}]})
    assert result.sections["models"]["one"]["fallbacks"] == ["two"]


def test_fallbacks_that_lead_nowhere_are_left() -> None:
    result = routed(
        {"fallbacks": [{"gone": ["one"]}, {"one": ["gone", {"model": "two", "temperature": 0}, "two"]}]},
        {"fallbacks": [{"two": ["one"]}]},
    )
    assert result.sections["models"]["one"]["fallbacks"] == ["two"]
    assert "fallbacks" not in result.sections["models"]["two"]
    assert set(reasons(result, Fate.LEFT)) == {
        "router_settings.fallbacks[0].gone",
        "router_settings.fallbacks[1].one[0]",
        "router_settings.fallbacks[1].one[1]",
        "litellm_settings.fallbacks",
    }


def test_settings_of_the_proxy_say_what_to_do_instead() -> None:
    result = routed({"redis_host": "r", "num_retries": 3}, {"success_callback": ["x"], "unheard_of": 1})
    told = reasons(result, Fate.LEFT)
    assert "REDIS_URL" in told["router_settings.redis_host"]
    assert "retries" in told["router_settings.num_retries"]
    assert "ledger" in told["litellm_settings.success_callback"]
    assert told["litellm_settings.unheard_of"] == "nothing here corresponds to it"
