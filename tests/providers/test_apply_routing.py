"""What the file says of routing, waiting and caching stands in the tables, and is written back the same."""

from typing import Any

import pytest
from django.db.models import Model as Row
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from providers.configuration.document import document_read
from providers.configuration.export import configuration_export
from providers.models import Deployment, Model, Provider
from tenants.models import ApiKey, Policy, Tenant
from tests import factories
from tests.support.configuration import apply, problems_of

pytestmark = pytest.mark.django_db

MODEL = """
providers: {echo: {wire: echo}}
models:
  m:
    strategy: sensitivity
    sticky: conversation
    hedge: true
    batch: {size: 64, milliseconds: 20}
    timeout: {first_byte: 0.25, total: 900}
    deployments: [{provider: echo, quality: 0.9, max_parallel: 4, held_open: true}]
"""
TENANT = """
providers: {echo: {wire: echo}}
models: {embed: {kind: embedding, deployments: [{provider: echo}]}}
tenants:
  acme:
    policy:
      cache: all
      cache_seconds: 60
      semantic: {model: embed, threshold: 0.925}
      prompt_cache: auto
      queue_seconds: 5
      queue_length: 7
    keys: [{name: app, secret: gw-first-secret-of-acme, priority: -2, roles: [owner, finance]}]
"""
COUNTS = st.integers(0, 2**31 - 1)
WAITS = st.none() | st.integers(1, 2**31 - 1)
SCORES = st.integers(0, 10_000)
MODELS = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(Model.Strategy.values),
        "sticky": st.sampled_from(["", *Model.Sticky.values]),
        "hedge": st.booleans(),
        "batch_size": st.integers(1, 2_048),
        "batch_ms": st.integers(0, 1_000),
        **{f"{wait}_timeout_ms": WAITS for wait in ("connect", "first_byte", "idle", "total")},
    }
)
DEPLOYMENTS = st.fixed_dictionaries(
    {"quality": st.none() | SCORES, "held_open": st.booleans(), "max_parallel": st.none() | COUNTS}
)
POLICIES = st.fixed_dictionaries(
    {
        "cache": st.sampled_from(Policy.Cache.values),
        "cache_seconds": st.integers(1, 2**31 - 1),
        "semantic_model": st.sampled_from(["", "m"]),
        "semantic_threshold": SCORES,
        "prompt_cache": st.sampled_from(Policy.PromptCache.values),
        "queue_seconds": COUNTS,
        "queue_length": COUNTS,
    }
)
KEYS = st.fixed_dictionaries(
    {
        "priority": st.integers(-1_000, 1_000),
        "roles": st.lists(st.sampled_from(["owner", "developer", "finance", "viewer"]), unique=True),
    }
)


def told(row: Row, *columns: str) -> dict[str, Any]:
    return {column: getattr(row, column) for column in columns}


def test_how_a_model_is_routed() -> None:
    apply(MODEL)
    model, deployment = Model.objects.get(), Deployment.objects.get()
    assert (model.strategy, model.sticky, model.hedge) == ("sensitivity", "conversation", True)
    assert (model.batch_size, model.batch_ms) == (64, 20)
    assert (model.connect_timeout_ms, model.first_byte_timeout_ms) == (None, 250)
    assert (model.idle_timeout_ms, model.total_timeout_ms) == (None, 900_000)
    assert (deployment.quality, deployment.max_parallel, deployment.held_open) == (9_000, 4, True)
    assert not apply(MODEL).changes


def test_what_is_left_out_stays_and_null_is_the_providers_again() -> None:
    apply(MODEL)
    plan = apply("models: {m: {timeout: {total: null}, batch: {size: 1}, deployments: [{provider: echo}]}}")
    assert [str(step) for step in plan.steps if step.thing == "model m"] == [
        "changed   model m: batch.size 64 → 1, timeout.total 900000 → none"
    ]
    model = Model.objects.get()
    assert (model.batch_ms, model.first_byte_timeout_ms, model.total_timeout_ms) == (20, 250, None)
    assert Deployment.objects.get().quality == 9_000
    apply('models: {m: {sticky: "", deployments: [{provider: echo, quality: null}]}}')
    assert (Model.objects.get().sticky, Deployment.objects.get().quality) == ("", None)


def test_how_a_tenants_calls_wait_and_are_kept() -> None:
    apply(TENANT)
    policy, key = Policy.objects.get(), ApiKey.objects.get()
    assert told(policy, "cache", "cache_seconds", "prompt_cache") == {
        "cache": "all",
        "cache_seconds": 60,
        "prompt_cache": "auto",
    }
    assert (policy.semantic_model, policy.semantic_threshold) == ("embed", 9_250)
    assert (policy.queue_seconds, policy.queue_length) == (5, 7)
    assert (key.priority, key.roles) == (-2, ["owner", "finance"])
    assert not apply(TENANT).changes
    apply("tenants: {acme: {policy: {semantic: {model: ''}}, keys: [{name: app, roles: []}]}}")
    policy, key = Policy.objects.get(), ApiKey.objects.get()
    assert (policy.semantic_model, policy.semantic_threshold) == ("", 9_250)
    assert (key.priority, key.roles) == (-2, [])


def test_a_platform_key_has_roles_without_tenants_and_a_priority() -> None:
    apply("platform: {keys: [{name: ops, roles: [finance], priority: 3}]}")
    assert told(ApiKey.objects.get(), "roles", "priority") == {"roles": ["finance"], "priority": 3}


@given(model=MODELS, deployment=DEPLOYMENTS, policy=POLICIES, key=KEYS)
@settings(max_examples=25, phases=[Phase.generate])  # shrinking takes minutes where each try writes tables
def test_what_is_exported_makes_the_same_rows_elsewhere(
    model: dict[str, Any], deployment: dict[str, Any], policy: dict[str, Any], key: dict[str, Any]
) -> None:
    for table in (Model, Provider, Tenant):
        table.objects.all().delete()
    factories.make_deployment(factories.make_model("m", **model), factories.make_provider("p"), **deployment)
    tenant = factories.make_tenant()
    Policy.objects.create(tenant=tenant, **policy)
    factories.make_key(tenant, **key)
    exported = configuration_export()
    assert not apply(exported, prune=True).changes
    for table in (Model, Provider, Tenant):
        table.objects.all().delete()
    apply(exported)
    assert configuration_export() == exported
    assert told(Model.objects.get(), *model) == model
    assert told(Deployment.objects.get(), *deployment) == deployment
    assert told(Policy.objects.get(), *policy) == policy
    assert told(ApiKey.objects.get(), *key) == key


def test_defaults_are_left_out() -> None:
    factories.make_deployment(factories.make_model("m"), factories.make_provider("p"))
    tenant = factories.make_tenant()
    Policy.objects.create(tenant=tenant)
    factories.make_key(tenant)
    exported = document_read(configuration_export())
    assert exported["models"] == {"m": {"deployments": [{"provider": "p", "model": "m"}]}}
    assert exported["tenants"] == {"acme": {"keys": [{"name": "app"}]}}


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("strategy: luck", "strategy: Invalid enum value 'luck'"),
        ("sticky: tenant", "sticky: Invalid enum value 'tenant'"),
        ("batch: {size: 0}", "batch.size: Expected int >= 1"),
        ("batch: {size: 5000}", "batch.size: Ensure this value is less than or equal to 2048."),
        (
            "batch: {milliseconds: 2000}",
            "batch.milliseconds: Ensure this value is less than or equal to 1000.",
        ),
        ("timeout: {idle: 0}", "timeout.idle: Ensure this value is greater than or equal to 1."),
        (
            "timeout: {idle: 0.0001}",
            "timeout.idle: 0.0001 is not a whole number of milliseconds from 0 up",
        ),
        (
            "deployments: [{provider: echo, quality: 1.1}]",
            "deployments[0].quality: Ensure this value is less than or equal to 10000.",
        ),
        (
            "deployments: [{provider: echo, quality: 0.00001}]",
            "deployments[0].quality: 0.00001 is not a whole number of basis points from 0 up",
        ),
        (
            "deployments: [{provider: echo, quality: 1e999999}]",
            "deployments[0].quality: 1E+999999 is not a whole number of basis points from 0 up",
        ),
    ],
)
def test_what_means_nothing_of_a_model_is_refused(model: str, problem: str) -> None:
    found = problems_of("providers: {echo: {wire: echo}}\nmodels: {m: {" + model + "}}")
    assert found[0].startswith(f"models.m.{problem}")


@pytest.mark.parametrize(
    ("tenant", "problem"),
    [
        (
            "policy: {semantic: {model: gone}}",
            "policy.semantic.model: there is no model, alias or pattern for gone",
        ),
        (
            "policy: {semantic: {threshold: 1.5}}",
            "policy.semantic.threshold: Ensure this value is less than or equal to 10000.",
        ),
        ("policy: {prompt_cache: on}", "policy.prompt_cache: Invalid enum value"),
        ("policy: {cache_seconds: 0}", "policy.cache_seconds: Expected int >= 1"),
        ("keys: [{name: a, roles: [operator]}]", "keys[0].roles[0]: Invalid enum value 'operator'"),
        ("keys: [{name: a, priority: 1001}]", "keys[0].priority: Expected int <= 1000"),
    ],
)
def test_what_means_nothing_of_a_tenant_is_refused(tenant: str, problem: str) -> None:
    (found,) = problems_of("tenants: {acme: {" + tenant + "}}")
    assert found.startswith(f"tenants.acme.{problem}")


def test_a_model_that_a_policy_needs_is_not_pruned_away() -> None:
    apply(TENANT)
    assert problems_of("models: {}", prune=True) == [
        "the policy of tenant acme: without the pruned ones there is no model, alias or pattern for embed"
    ]


def test_a_providers_waits_are_never_null() -> None:
    assert problems_of("providers: {p: {wire: echo, timeout: {idle: null}}}") == [
        "providers.p.timeout.idle: This field cannot be null."
    ]
