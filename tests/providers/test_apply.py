"""Applying a file brings the database to what it says, and nothing else."""

from pathlib import Path

import pytest

from providers.configuration.plan import Action
from providers.models import Alias, Deployment, Model, PlatformDefault, Provider, ProviderKey, Route
from tenants.models import Budget, Limit, LimitClass, Policy, Project, Tenant
from tenants.revision import current_revision
from tenants.secrets import secret_resolve
from tests import factories
from tests.support.configuration import (
    EXAMPLE,
    EXAMPLE_SECRETS,
    apply,
    printed,
    steps,
    watched,
    writes_of,
)

pytestmark = pytest.mark.django_db

PROVIDER = """
providers:
  openai:
    wire: openai
    base_url: https://api.openai.com/v1
    security: low
    type: cloud
    timeout: {connect: 1.5, total: 30}
    headers: {X-Org: one}
    keys: [{name: main, secret: sk-stored-secret-of-openai, rpm: 500}]
"""
MODELS = """
providers: {echo: {wire: echo}}
models:
  big:
    deployments: [{provider: echo, model: big-1, weight: 3}]
    fallbacks: [little, small]
    context_window: 8000
  small: {deployments: [{provider: echo}], fallbacks: {error: [big]}}
  "echo/*": {deployments: [{provider: echo, model: "*"}]}
aliases: {little: small}
defaults: {chat: little}
"""
TENANT = """
limit_classes: {standard: {rpm: 60, burst: {calls: 5, seconds: 2}, cooldown_seconds: 30}}
tenants:
  acme:
    time_zone: Europe/Berlin
    limits: {rpm: 600, tpd: 7, parallel: 50}
    budgets: [{amount: 100.25, window: month, hard: true}]
    projects: {search: {cost_centre: CC-42, limits: {rph: 9}}}
    contract: {markup_bps: 1000}
    policy: {cache: off, queue_seconds: 5, sensitivity: {action: block, threshold: 0.65}}
"""


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> str:
    for name, secret in EXAMPLE_SECRETS.items():
        monkeypatch.setenv(name, secret)
    return EXAMPLE.read_text()


def test_a_provider_and_its_key() -> None:
    apply(PROVIDER)
    provider = Provider.objects.get()
    assert (provider.wire, provider.security_level, provider.kind) == ("openai", "low", "cloud")
    assert (provider.connect_timeout_ms, provider.total_timeout_ms) == (1_500, 30_000)
    assert provider.idle_timeout_ms == Provider().idle_timeout_ms
    assert provider.headers == {"X-Org": "one"}
    key = ProviderKey.objects.get()
    assert (key.rpm, key.tpm, key.last_four) == (500, None, "enai")
    assert secret_resolve(reference=key.secret) == "sk-stored-secret-of-openai"


def test_models_with_their_ways() -> None:
    apply(MODELS)
    assert set(Model.objects.values_list("name", flat=True)) == {"big", "small", "echo/*"}
    assert set(Deployment.objects.values_list("upstream_model", "weight")) == {
        ("big-1", 3),
        ("small", 1),
        ("*", 1),
    }
    assert list(Route.objects.values_list("model__name", "cause", "target", "position")) == [
        ("big", "any", "little", 0),
        ("big", "any", "small", 1),
        ("small", "error", "big", 0),
    ]
    assert Alias.objects.get().target == "small"
    assert PlatformDefault.objects.get().model == "little"


def test_a_tenant_with_all_that_is_its_own() -> None:
    apply(TENANT)
    tenant = Tenant.objects.get()
    assert (tenant.time_zone, tenant.markup_bps) == ("Europe/Berlin", 1000)
    limits = Limit.objects.filter(tenant=tenant).values_list("unit", "window", "amount")
    assert set(limits) == {("requests", "minute", 600), ("tokens", "day", 7), ("concurrency", "", 50)}
    assert Budget.objects.get(tenant=tenant).amount_nano == 100_250_000_000
    project = Project.objects.get(tenant=tenant)
    assert project.cost_centre == "CC-42"
    assert Limit.objects.get(project=project).amount == 9
    policy = Policy.objects.get(tenant=tenant)
    assert (policy.cache, policy.queue_seconds) == ("off", 5)
    assert (policy.sensitivity_action, policy.sensitivity_threshold) == ("block", 6500)
    burst = Limit.objects.get(limit_class=LimitClass.objects.get(name="standard"))
    assert (burst.burst_calls, burst.burst_seconds, burst.cooldown_seconds) == (5, 2, 30)


@pytest.mark.usefixtures("each_database")
def test_the_example_applies_twice_and_writes_once(example: str) -> None:
    first = apply(example)
    assert set(first.counts()) == {"created"}
    revision = current_revision()
    with watched() as queries:
        second = apply(example)
    assert second.counts() == {"unchanged": first.counts()["created"]}
    assert writes_of(queries) == []
    assert current_revision() == revision
    assert not second.issued


def test_only_what_differs_is_changed() -> None:
    apply(PROVIDER)
    plan = apply(PROVIDER.replace("low", "high").replace("rpm: 500", "rpm: 501"))
    assert [str(step) for step in plan.steps] == [
        "changed   provider openai: security low → high",
        "changed   provider key openai/main: rpm 500 → 501",
    ]


def test_what_is_left_out_of_a_row_stays() -> None:
    apply(PROVIDER)
    Provider.objects.update(blocked=True)
    apply("providers: {openai: {security: high}}")
    provider = Provider.objects.get()
    assert (provider.blocked, provider.connect_timeout_ms, provider.security_level) == (True, 1_500, "high")
    apply("providers: {openai: {blocked: false}}")
    assert not Provider.objects.get().blocked


def test_null_clears() -> None:
    apply(MODELS + "\n")
    apply("models: {big: {context_window: null}}")
    assert Model.objects.get(name="big").context_window is None


def test_a_dry_run_tells_and_does_nothing() -> None:
    apply(PROVIDER)
    revision = current_revision()
    dry = apply(TENANT + MODELS, dry_run=True)
    assert "tenant acme" in steps(dry, Action.CREATED)
    assert current_revision() == revision
    assert not Tenant.objects.exists()
    assert apply(TENANT + MODELS).counts() == dry.counts()


def test_what_the_file_does_not_name_is_kept_and_told() -> None:
    apply(MODELS)
    plan = apply("models: {small: {deployments: []}}\naliases: {}")
    assert set(steps(plan, Action.KEPT)) == {
        "deployment of small at echo/small",
        "model big",
        "model echo/*",
        "alias little → small",
    }
    assert not plan.changes
    assert Deployment.objects.count() == 3


def test_fallbacks_are_one_ordered_value() -> None:
    apply(MODELS)
    apply("models: {big: {fallbacks: [small]}}")
    assert list(Route.objects.filter(model__name="big").values_list("target", flat=True)) == ["small"]
    apply("models: {big: {fallbacks: []}}")
    assert not Route.objects.filter(model__name="big").exists()


def test_a_burst_left_out_of_a_limit_is_gone() -> None:
    apply(TENANT)
    apply("limit_classes: {standard: {rpm: 60}}")
    limit = Limit.objects.get(limit_class__name="standard")
    assert (limit.burst_calls, limit.burst_seconds, limit.cooldown_seconds) == (None, None, 0)


def test_limits_that_the_file_has_no_words_for_are_left_alone() -> None:
    tenant = factories.make_tenant()
    factories.make_limit(tenant=tenant, window="month")
    factories.make_limit(tenant=tenant, model="gpt-4o-mini")
    apply("tenants: {acme: {limits: {rpm: 5}}}", prune=True)
    assert Limit.objects.count() == 3


def test_a_providers_limits_are_lent_to_keys_that_have_none() -> None:
    apply("""
        providers:
          one:
            wire: echo
            limits: {rpm: 7, tpm: 8}
            keys: [{name: a, secret: env:A}, {name: b, secret: env:B, rpm: 9, tpm: null}]
        """)
    assert set(ProviderKey.objects.values_list("name", "rpm", "tpm")) == {("a", 7, 8), ("b", 9, None)}
    apply("providers: {one: {limits: {parallel: 3}}}")
    assert set(ProviderKey.objects.values_list("parallel", flat=True)) == {3}


def test_a_reference_that_leads_nowhere_yet_is_noted() -> None:
    plan = apply("providers: {one: {wire: echo, keys: [{name: a, secret: env:NOT_SET_HERE}]}}")
    assert plan.notes == ["providers.one.keys[0].secret: There is no secret at env:NOT_SET_HERE."]
    assert ProviderKey.objects.get().secret == "env:NOT_SET_HERE"


def test_defaults_move_the_revision_and_can_be_taken_away() -> None:
    apply(MODELS)
    revision = current_revision()
    apply("defaults: {chat: big}")
    assert current_revision() > revision
    apply('defaults: {chat: ""}')
    assert not PlatformDefault.objects.exists()


def test_the_command_tells_and_shows_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        PROVIDER + "tenants: {acme: {keys: [{name: app, secret: gw-given-to-the-app}, {name: new}]}}"
    )
    path = str(file)
    dry = printed("apply", path, "--dry-run")
    assert "created   provider openai" in dry
    assert dry.endswith("Nothing was changed: this was a dry run.\n")
    assert "shown this once" not in dry
    told = printed("apply", path)
    assert "key acme/new, shown this once: gw-" in told
    again = printed("apply", path)
    assert again == "5 unchanged\n"
    assert "unchanged provider openai" in printed("apply", path, "--dry-run")
    for secret in ("sk-stored", "gw-given"):
        assert secret not in dry + told + again
