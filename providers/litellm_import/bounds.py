"""Limits, budgets and lists of models of keys and teams.

What bounds a key and cannot be taken never makes it wider: the key is then blocked, until somebody looked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from msgspec import Struct

from gateway.patterns import matches
from providers.configuration.names import Known, model_reached
from providers.litellm_import.findings import Part
from tenants.validators import MONEY_CEILING

Allowed = list[str] | None
"""Models that may be called: an empty list is all of them, None is none at all."""

_LIMITS = {"rpm_limit": "rpm", "tpm_limit": "tpm", "tpd_limit": "tpd", "max_parallel_requests": "parallel"}
_MOST = 2**63 - 1
_NANO = Decimal("0.000000001")
_CEILING = MONEY_CEILING * _NANO
_DURATION = re.compile(r"(\d{1,9}) ?(s|m|h|d|w|mo)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_592_000}
_WORDS = {"daily": "1d", "weekly": "7d", "monthly": "1mo", "hourly": "1h"}
_WINDOWS = (("day", 86_400), ("week", 604_800), ("month", 2_678_400))
_EXACT = {"day": {86_400}, "week": {604_800}, "month": {2_592_000}}
_ALL = frozenset({"all-proxy-models", "*"})
_OF_TEAM = "all-team-models"
_NONE = "no-default-models"


class Bounds(Struct, kw_only=True):
    """What bounds a key or a team."""

    limits: dict[str, int]
    budgets: list[dict[str, Any]]
    is_whole: bool
    """Nothing that would bound it had to be left."""

    @property
    def sections(self) -> dict[str, Any]:
        """As our file says them."""
        named = {"limits": self.limits, "budgets": self.budgets}
        return {name: section for name, section in named.items() if section}


def bounds_take(row: Part, known: Known) -> Bounds:
    """The limits and budgets of a row."""
    bounds = Bounds(limits={}, budgets=[], is_whole=True)
    for column, word in _LIMITS.items():
        part = row.get(column)
        amount = None if part.says_nothing else part.whole(most=_MOST)
        if amount is not None:
            bounds.limits[word] = amount
        elif not part.says_nothing:
            bounds.is_whole = False
    window = window_take(row.get("budget_duration"))
    for column, hard in (("max_budget", True), ("soft_budget", False)):
        part = row.get(column)
        budget = None if part.says_nothing else budget_take(part, window, hard=hard)
        if budget is not None:
            bounds.budgets.append(budget)
        elif not part.says_nothing:
            bounds.is_whole = False
    _model_budgets(row.get("model_max_budget"), bounds, known)
    return bounds


def window_take(part: Part) -> str:
    """The window of ours that lets no more through: the same, or the next longer one."""
    if part.says_nothing:
        return "total"
    text = part.text()
    found = _DURATION.fullmatch(_WORDS.get(text, text))
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    window = next((name for name, length in _WINDOWS if seconds <= length), "total") if seconds else "total"
    if seconds not in _EXACT.get(window, ()):
        part.change(f"there is no such window here: the amount is for {_told(window)}, which is stricter")
    elif window == "month":
        part.change("a month is the calendar's here")
    return window


def budget_take(part: Part, window: str, *, hard: bool) -> dict[str, Any] | None:
    """A budget; amounts are whole nano-dollars, from one up to the most that is counted."""
    dollars = part.figure()
    if dollars is None:
        return None
    amount = min(max(dollars, _NANO), _CEILING).quantize(_NANO, ROUND_DOWN)
    if amount != dollars:
        part.change("the amount is rounded to nano-dollars, from one up to the most that can be counted")
    return {"amount": amount, "window": window, "hard": hard}


def models_take(part: Part, known: Known, groups: Mapping[str, Sequence[str]]) -> Allowed:
    """The models that a list lets through."""
    if part.says_nothing:
        return []
    names: dict[str, None] = {}
    for one in part.parts() if isinstance(part.value, list) else (part,):
        name = one.text()
        if name in _ALL or name == _OF_TEAM:
            part.texts()
            return []
        if name in groups:
            one.change("the group stands for its models")
            names |= dict.fromkeys(groups[name])
        elif name and name != _NONE and name.count("*") <= 1 and model_reached(name, known):
            names[name] = None
        elif name and name != _NONE:
            one.leave("there is no such model or group here")
    return list(names) or None


def models_meet(key: Allowed, team: Allowed) -> Allowed:
    """What both let through."""
    if key is None or team is None:
        return None
    if not key or not team:
        return key or team
    both = [name for name in key if any(matches(other, name) for other in team)]
    both += [name for name in team if name not in both and any(matches(other, name) for other in key)]
    return both or None


def _model_budgets(part: Part, bounds: Bounds, known: Known) -> None:
    seen: set[tuple[str, str]] = set()
    for model, one in part.members().items() if not part.says_nothing else ():
        amount = _first(one, ("budget_limit", "max_budget"))
        window = window_take(_first(one, ("time_period", "budget_duration")))
        budget = None if amount.says_nothing else budget_take(amount, window, hard=True)
        if budget is None or not model_reached(model, known) or (model, window) in seen:
            one.leave("this is no budget for a model that is here")
            bounds.is_whole = False
        else:
            seen.add((model, window))
            bounds.budgets.append({**budget, "model": model})


def _first(part: Part, names: Iterable[str]) -> Part:
    found = [part.get(name) for name in names]
    return next((one for one in found if not one.says_nothing), found[0])


def _told(window: str) -> str:
    return "good" if window == "total" else f"a {window}"
