"""Aliases, fallbacks and the strategy."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from gateway.patterns import best_pattern, fill_star
from providers.configuration.names import Known, model_reached
from providers.litellm_import.entries import model_name_check
from providers.litellm_import.findings import Part, Untaken

Models = dict[str, dict[str, Any]]

_STRATEGIES = {
    "simple-shuffle": "weighted",
    "least-busy": "least_busy",
    "latency-based-routing": "latency",
    "cost-based-routing": "price",
    "usage-based-routing": "weighted",
    "usage-based-routing-v2": "weighted",
}
_BY_USAGE = "calls are shared out by weight here, and the limits of keys see to it that none is overrun"
_CAUSES = {
    "fallbacks": "any",
    "context_window_fallbacks": "context_length",
    "content_policy_fallbacks": "content_policy",
}
_SHADOWED = "router_settings says this too, and comes first"
_STRANGER = "there is no such model here"


def strategy_take(part: Part, models: Models) -> None:
    """Every model gets the strategy; the usual one needs no word."""
    if part.says_nothing:
        return
    name = part.text()
    strategy = _STRATEGIES.get(name)
    if strategy is None:
        part.leave("there is no such strategy here")
        return
    if name.startswith("usage"):
        part.change(_BY_USAGE)
    if strategy != "weighted":
        for model in models.values():
            model["strategy"] = strategy


def aliases_take(part: Part, models: Models) -> dict[str, str]:
    """The aliases that lead to a model."""
    if part.says_nothing:
        return {}
    wanted = {}
    for name, one in part.members().items():
        try:
            model_name_check(name)
            if name in models or "*" in name:
                raise Untaken("a model has this name, or it has a star, so the alias would never be used")
            wanted[name] = _target(one)
        except Untaken as reason:
            one.leave(str(reason))
    aliases = {name: target for name, target in wanted.items() if _leads(name, wanted, models)}
    for name in wanted.keys() - aliases.keys():
        part.get(name).leave(f"it leads to no model: {_STRANGER}")
    return aliases


class Fallbacks:
    """Collects who stands in for whom, and tells the models in the end."""

    def __init__(self, models: Models, aliases: Mapping[str, str]) -> None:
        self._models = models
        self._aliases = aliases
        self._known = Known(models=frozenset(models), aliases=aliases)
        self._special: dict[str, dict[str, list[str]]] = {}
        self._general: dict[str, list[str]] = {}

    def take(self, first: Part, second: Part) -> None:
        """Read both sections that may say fallbacks; of each list, the first section's counts."""
        for word, cause in _CAUSES.items():
            for one in _chosen(first.get(word), second.get(word)):
                self._one(one, cause)
        for part in (first.get("default_fallbacks"), second.get("default_fallbacks")):
            if not part.says_nothing and "any" not in self._general:
                self._general["any"] = self._targets(part)
            else:
                part.leave_wrong("fallbacks for every model are said elsewhere too, and come first")

    def tell(self) -> None:
        """Write them into the models."""
        for name, model in self._models.items():
            causes = {
                cause: [
                    target for target in _others(targets, name) if self._kind(target) == model.get("kind")
                ]
                for cause, targets in self._general.items()
            }
            causes |= {
                cause: _others(targets, name) for cause, targets in self._special.get(name, {}).items()
            }
            causes = {cause: targets for cause, targets in causes.items() if targets}
            if causes:
                model["fallbacks"] = causes["any"] if list(causes) == ["any"] else causes

    def _kind(self, name: str) -> str | None:
        """The kind of the model that answers to a name; what stands in for all is of their kind."""
        while name in self._aliases and name not in self._models:
            name = self._aliases[name]
        found = best_pattern(self._models, name)
        return self._models[found].get("kind") if found else None

    def _one(self, part: Part, cause: str) -> None:
        if isinstance(part.value, str):
            self._general.setdefault(cause, []).extend(self._targets(part))
            return
        for name, targets in part.members().items():
            if name == "*":
                self._general.setdefault(cause, []).extend(self._targets(targets))
                continue
            model = self._source(name, targets)
            if model is None:
                targets.leave(_STRANGER)
            else:
                self._special.setdefault(model, {}).setdefault(cause, []).extend(self._targets(targets))

    def _source(self, name: str, targets: Part) -> str | None:
        """Which model a name means; one that a pattern covers becomes a model of its own."""
        seen: set[str] = set()
        asked = name
        while name in self._aliases and name not in self._models and name not in seen:
            seen.add(name)
            name = self._aliases[name]
        if name != asked:
            targets.change("an alias has the fallbacks of its model, so the model has these")
        if name in self._models:
            return name
        pattern = best_pattern([one for one in self._models if "*" in one], name)
        if pattern is None or "*" in name:
            return None
        model = deepcopy(self._models[pattern])
        for deployment in model["deployments"]:
            deployment["model"] = fill_star(deployment["model"], pattern, name)
        self._models[name] = model
        return name

    def _targets(self, part: Part) -> list[str]:
        found = []
        for one in part.parts() if isinstance(part.value, list) else (part,):
            if isinstance(one.value, dict | list):
                one.leave("a fallback is a model's name here, and asks what the caller asked")
            elif (name := one.text()) and not model_reached(name, self._known):
                one.leave(_STRANGER)
            elif name and "*" in name:
                one.leave("a fallback is one model, and no pattern")
            elif name:
                found.append(name)
        return found


def _target(part: Part) -> str:
    if not isinstance(part.value, dict):
        return part.text()
    hidden = part.get("hidden")
    if not hidden.says_nothing and hidden.flag():
        hidden.change("aliases are listed here for those who may use them")
    return part.get("model").text()


def _leads(name: str, aliases: Mapping[str, str], models: Models) -> bool:
    seen = {name}
    target = aliases[name]
    while target in aliases and target not in models:
        if target in seen:
            return False
        seen.add(target)
        target = aliases[target]
    return "*" not in target and model_reached(target, Known(models=frozenset(models)))


def _chosen(first: Part, second: Part) -> Sequence[Part]:
    if first.says_nothing:
        return () if second.says_nothing else second.elements()
    second.leave_wrong(_SHADOWED)
    return first.elements()


def _others(targets: Sequence[str], name: str) -> list[str]:
    return [target for target in dict.fromkeys(targets) if target != name]
