"""Pruning removes what a file's sections leave out, and blocks what the ledger or the price book names."""

import pytest

from providers.configuration.plan import Action
from providers.cost_map import SOURCE
from providers.models import Alias, Deployment, Model, Price, Provider, ProviderKey
from tenants.models import ApiKey, Budget, Limit, LimitClass, Project, Tenant
from tests import factories
from tests.support.configuration import apply, problems_of, steps, watched, writes_of

pytestmark = pytest.mark.django_db

FULL = """
providers:
  echo: {wire: echo, keys: [{name: a, secret: env:A}, {name: b, secret: env:B}]}
  priced: {wire: echo, cost_per_token: 0.000001}
  spare: {wire: echo}
models:
  m: {deployments: [{provider: echo}, {provider: spare}]}
  n: {deployments: [{provider: echo}]}
aliases: {one: m, two: n}
prices: [{model: m, input: 1, output: 2}]
limit_classes: {standard: {rpm: 1, tpm: 2}, unused: {rpm: 1}}
tenants:
  acme:
    limits: {rpm: 1, rph: 2}
    budgets: [{amount: 1}, {amount: 1, window: day}]
    projects: {search: {}, support: {}}
    keys: [{name: app, per_user: {class: standard}}, {name: old}]
  globex: {}
platform: {keys: [{name: ops}, {name: gone}]}
"""
LESS = """
providers:
  echo: {wire: echo, keys: [{name: a, secret: env:A}]}
models:
  m: {deployments: [{provider: echo}]}
aliases: {one: m}
prices: [{model: m, input: 1}]
limit_classes: {standard: {rpm: 1}}
tenants:
  acme:
    limits: {rpm: 1}
    budgets: [{amount: 1}]
    projects: {search: {}}
    keys: [{name: app}]
platform: {keys: [{name: ops}]}
"""


def names(kind: type[Model] | type[Alias] | type[Provider], **wanted: object) -> set[str]:
    return set(kind.objects.filter(**wanted).values_list("name", flat=True))


def test_without_prune_nothing_leaves() -> None:
    apply(FULL)
    plan = apply(LESS)
    assert not plan.changes
    assert len(steps(plan, Action.KEPT)) == 17


def test_prune_removes_what_nobody_needs() -> None:
    apply(FULL)
    apply(LESS, prune=True)
    assert names(Model) == {"m"}
    assert names(Alias) == {"one"}
    assert names(Provider) == {"echo", "priced"}
    assert set(Deployment.objects.values_list("provider__name", flat=True)) == {"echo"}
    assert set(ProviderKey.objects.values_list("name", flat=True)) == {"a"}
    assert set(LimitClass.objects.values_list("name", flat=True)) == {"standard"}
    assert set(Limit.objects.values_list("unit", "window")) == {("requests", "minute")}
    assert set(Budget.objects.values_list("window", flat=True)) == {"month"}


def test_prune_blocks_what_the_ledger_or_the_book_names() -> None:
    apply(FULL)
    plan = apply(LESS, prune=True)
    assert set(steps(plan, Action.BLOCKED)) == {
        "provider priced",
        "tenant globex",
        "project acme/support",
        "key acme/old",
        "key platform/gone",
    }
    assert names(Provider, blocked=True) == {"priced"}
    assert set(Tenant.objects.filter(blocked=True).values_list("name", flat=True)) == {"globex"}
    assert set(Project.objects.filter(blocked=True).values_list("name", flat=True)) == {"support"}
    assert set(ApiKey.objects.filter(blocked=True).values_list("name", flat=True)) == {"old", "gone"}


def test_pruned_prices_no_longer_hold_and_stay_in_the_book() -> None:
    apply(FULL)
    rows = Price.objects.count()
    apply(LESS, prune=True)
    assert Price.objects.count() == rows
    held = Price.objects.filter(valid_until=None).values_list("model", "meter")
    assert set(held) == {("m", "input")}


def test_pruning_twice_writes_once() -> None:
    apply(FULL)
    apply(LESS, prune=True)
    with watched() as queries:
        plan = apply(LESS, prune=True)
    assert not plan.changes
    assert writes_of(queries) == []


def test_kinds_without_a_section_are_left_alone() -> None:
    apply(FULL)
    with watched() as queries:
        apply("aliases: {one: m, two: n}\ntenants: {acme: {}, globex: {}}", prune=True)
    assert writes_of(queries) == []


def test_imported_prices_are_left_to_the_import() -> None:
    apply(FULL)
    factories.make_price(source=f"{SOURCE} 1.0")
    apply("prices: []", prune=True)
    assert Price.objects.get(valid_until=None).source == f"{SOURCE} 1.0"


def test_a_class_that_keys_use_is_kept() -> None:
    apply(FULL)
    plan = apply("limit_classes: {}", prune=True)
    assert "limit class standard" in steps(plan, Action.KEPT)
    assert set(LimitClass.objects.values_list("name", flat=True)) == {"standard"}


def test_a_file_may_not_name_what_it_prunes() -> None:
    apply(FULL)
    assert problems_of("models: {m: {fallbacks: [n]}}", prune=True)[0] == (
        "models.m.fallbacks[0]: there is no model, alias or pattern for n"
    )


def test_nothing_that_stays_may_name_what_is_pruned() -> None:
    apply(FULL)
    apply("tenants: {acme: {keys: [{name: app, models: [two]}]}}")
    assert problems_of("models: {m: {}}", prune=True) == [
        "aliases.two: without the pruned ones there is no model, alias or pattern for n",
    ]
    assert problems_of("aliases: {one: m}", prune=True) == [
        "the key acme/app: without the pruned ones there is no model, alias or pattern for two",
    ]
    assert names(Model) == {"m", "n"}
