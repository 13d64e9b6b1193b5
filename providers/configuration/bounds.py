"""Applies limits, budgets and limit classes.

The file has words for limits of a minute, an hour and a day over all models; others are the admin's and are
left alone.
"""

from collections.abc import Iterable

from msgspec import Struct, UnsetType

from providers.configuration import parts, schema
from providers.configuration.figures import NANO_PER_DOLLAR, whole
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import path_join
from providers.configuration.rows import named_values, row_apply
from tenants.models import ApiKey, Budget, Limit, LimitClass, Project, Tenant


class LimitWord(Struct, frozen=True):
    """What a limit's short name in the file stands for."""

    unit: str
    window: str


LIMIT_WORDS = {
    "rpm": LimitWord("requests", "minute"),
    "rph": LimitWord("requests", "hour"),
    "rpd": LimitWord("requests", "day"),
    "tpm": LimitWord("tokens", "minute"),
    "tph": LimitWord("tokens", "hour"),
    "tpd": LimitWord("tokens", "day"),
    "parallel": LimitWord("concurrency", ""),
}
_WITH_RPM = ("burst", "cooldown_seconds")


class Owner(Struct, frozen=True):
    """What bounds hang on: the column that names it, the row, its name for people."""

    scope: str
    row: Tenant | Project | ApiKey | LimitClass
    name: str


def classes_apply(plan: Plan, classes: dict[str, parts.Limits]) -> None:
    """Create and change limit classes with their limits."""
    rows = {row.name: row for row in LimitClass.objects.all()}
    for name, limits in classes.items():
        path = path_join("limit_classes", name)
        thing = f"limit class {name}"
        row = row_apply(plan, rows.get(name) or LimitClass(name=name), {}, path=path, thing=thing)
        if row is not None:
            limits_apply(plan, Owner("limit_class", row, thing), limits, path)


def bounds_apply(plan: Plan, owner: Owner, bounded: schema.Bounded, path: str) -> None:
    """Apply what hangs on a tenant, project or key, if the file says anything of it."""
    if not isinstance(bounded.limits, UnsetType):
        limits_apply(plan, owner, bounded.limits, f"{path}.limits")
    if not isinstance(bounded.budgets, UnsetType):
        _budgets_apply(plan, owner, bounded.budgets, f"{path}.budgets")


def limits_apply(plan: Plan, owner: Owner, limits: parts.Limits, path: str) -> None:
    """Create and change the limits of an owner; those the file leaves out are pruned or kept."""
    rows = {(row.unit, row.window): row for row in Limit.objects.filter(model="", **{owner.scope: owner.row})}
    if isinstance(limits.rpm, UnsetType):
        for word in _WITH_RPM:
            if getattr(limits, word) is not limits.rpm:
                plan.problem(f"{path}.{word}", "this belongs to requests per minute: write rpm too")
    for word, meant in LIMIT_WORDS.items():
        row = rows.get((meant.unit, meant.window))
        amount = getattr(limits, word)
        thing = f"limit {word} of {owner.name}"
        if isinstance(amount, UnsetType):
            _left_out(plan, row, thing)
            continue
        row = row or Limit(unit=meant.unit, window=meant.window, **{owner.scope: owner.row})
        values = {"amount": amount} | (_burst_values(limits) if word == "rpm" else {})
        row_apply(plan, row, values, path=f"{path}.{word}", thing=thing)


def _burst_values(limits: parts.Limits) -> dict[str, int | None]:
    burst = limits.burst or None
    return {
        "burst_calls": burst.calls if burst else None,
        "burst_seconds": burst.seconds if burst else None,
        "cooldown_seconds": limits.cooldown_seconds or 0,
    }


def _budgets_apply(plan: Plan, owner: Owner, budgets: Iterable[parts.Budget], path: str) -> None:
    rows = {
        (row.model, row.window, row.hard): row for row in Budget.objects.filter(**{owner.scope: owner.row})
    }
    for index, wanted in enumerate(budgets):
        place = f"{path}[{index}]"
        row = rows.pop((wanted.model, wanted.window, wanted.hard), None) or Budget(
            model=wanted.model, window=wanted.window, hard=wanted.hard, **{owner.scope: owner.row}
        )
        amount = whole(plan, wanted.amount, NANO_PER_DOLLAR, path=f"{place}.amount", unit="nano-dollars")
        values = named_values(amount_nano=amount, alert_percents=wanted.alert_percents)
        row_apply(
            plan, row, values, path=place, thing=budget_name(row, owner.name), words={"amount_nano": "amount"}
        )
    for row in rows.values():
        _left_out(plan, row, budget_name(row, owner.name))


def budget_name(row: Budget, owner: str) -> str:
    """A budget in words, without its amount."""
    kind = "hard" if row.hard else "soft"
    return f"{kind} {row.window} budget of {owner}" + (f" for {row.model}" if row.model else "")


def _left_out(plan: Plan, row: Limit | Budget | None, thing: str) -> None:
    if row is None:
        return
    if plan.prune:
        row.delete()
        plan.add(Action.REMOVED, thing)
    else:
        plan.add(Action.KEPT, thing, "not in the file")
