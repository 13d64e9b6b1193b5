"""Applies the models of a file: where they run, what stands in for them, what else they are called."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from msgspec import UnsetType

from providers.configuration import parts, schema
from providers.configuration.figures import BASIS_POINTS, given_whole
from providers.configuration.hosts import WAIT_WORDS, wait_values
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import path_join
from providers.configuration.rows import named_values, row_apply
from providers.models import Alias, Deployment, Model, PlatformDefault, Provider, Route

_MODEL_WORDS = {"batch_size": "batch.size", "batch_ms": "batch.milliseconds", **WAIT_WORDS}


def models_apply(plan: Plan, models: dict[str, schema.Model]) -> None:
    """Create and change models with their deployments and fallbacks."""
    rows = {row.name: row for row in Model.objects.all()}
    providers = {row.name: row for row in Provider.objects.all()}
    for name, wanted in models.items():
        path = path_join("models", name)
        model = row_apply(
            plan,
            rows.get(name) or Model(name=name),
            _model_values(plan, wanted, path),
            path=path,
            thing=f"model {name}",
            words=_MODEL_WORDS,
        )
        if model is None:
            continue
        if not isinstance(wanted.deployments, UnsetType):
            _deployments_apply(plan, model, wanted.deployments, providers, f"{path}.deployments")
        if not isinstance(wanted.fallbacks, UnsetType):
            _fallbacks_apply(plan, model, wanted.fallbacks)


def _model_values(plan: Plan, wanted: schema.Model, path: str) -> dict[str, Any]:
    batch = wanted.batch or schema.Batch()
    return named_values(
        kind=wanted.kind,
        context_window=wanted.context_window,
        max_output_tokens=wanted.max_output_tokens,
        vocabulary=wanted.vocabulary,
        capabilities=wanted.capabilities,
        strategy=wanted.strategy,
        sticky=wanted.sticky,
        hedge=wanted.hedge,
        batch_size=batch.size,
        batch_ms=batch.milliseconds,
        blocked=wanted.blocked,
        **wait_values(plan, wanted.timeout or schema.Timeout(), path),
    )


def model_routing_set(*, model: Model, wanted: schema.Model) -> None:
    """Let a model run where the description says, and there alone, and so with its fallbacks.

    What it says nothing of stays. Its names were looked up before.
    """
    plan = Plan(prune=True)
    with transaction.atomic():
        if not isinstance(wanted.deployments, UnsetType):
            providers = {row.name: row for row in Provider.objects.all()}
            _deployments_apply(plan, model, wanted.deployments, providers, "deployments")
        if not isinstance(wanted.fallbacks, UnsetType):
            _fallbacks_apply(plan, model, wanted.fallbacks)
        plan.refuse_problems()


def aliases_apply(plan: Plan, aliases: dict[str, str]) -> None:
    """Create and change aliases."""
    rows = {row.name: row for row in Alias.objects.all()}
    for name, target in aliases.items():
        row = rows.get(name) or Alias(name=name)
        row_apply(plan, row, {"target": target}, path=path_join("aliases", name), thing=f"alias {name}")


def defaults_apply(plan: Plan, defaults: schema.Defaults) -> None:
    """Set the models of calls that name none; an empty text takes the default away."""
    rows = {row.kind: row for row in PlatformDefault.objects.all()}
    for kind, model in named_values(chat=defaults.chat, embedding=defaults.embedding).items():
        row = rows.get(kind)
        if model:
            target = row or PlatformDefault(kind=kind)
            row_apply(plan, target, {"model": model}, path=f"defaults.{kind}", thing=f"default {kind} model")
        elif row:
            row.delete()
            plan.add(Action.REMOVED, f"default {kind} model")


def _deployments_apply(
    plan: Plan,
    model: Model,
    deployments: Iterable[schema.Deployment],
    providers: dict[str, Provider],
    path: str,
) -> None:
    rows = {(row.provider_id, row.upstream_model, row.region): row for row in model.deployments.all()}
    for index, wanted in enumerate(deployments):
        provider = providers.get(wanted.provider)
        if provider is None:
            continue  # its own problem was noted
        upstream = wanted.model or model.name
        row = rows.pop((provider.pk, upstream, wanted.region), None) or Deployment(
            model=model, provider=provider, upstream_model=upstream, region=wanted.region
        )
        values = named_values(
            weight=wanted.weight,
            priority=wanted.priority,
            max_parallel=wanted.max_parallel,
            quality=given_whole(
                plan, wanted.quality, BASIS_POINTS, path=f"{path}[{index}].quality", unit="basis points"
            ),
            blocked=wanted.blocked,
            held_open=wanted.held_open,
        )
        row_apply(
            plan,
            row,
            values,
            path=f"{path}[{index}]",
            thing=_deployment_name(model, row),
            words={"upstream_model": "model"},
        )
    for row in rows.values():
        if plan.prune:
            row.delete()
        action = Action.REMOVED if plan.prune else Action.KEPT
        plan.add(action, _deployment_name(model, row), "" if plan.prune else "not in the file")


def _deployment_name(model: Model, row: Deployment) -> str:
    region = f" in {row.region}" if row.region else ""
    return f"deployment of {model.name} at {row}{region}"


def _fallbacks_apply(
    plan: Plan, model: Model, fallbacks: parts.Names | dict[parts.Cause, parts.Names]
) -> None:
    """Fallbacks are one ordered value: what the file lists takes the place of all there were."""
    by_cause = fallbacks if isinstance(fallbacks, dict) else {"any": fallbacks}
    wanted = [(cause, i, target) for cause, targets in by_cause.items() for i, target in enumerate(targets)]
    rows = model.routes.all()
    before = [(row.cause, row.position, row.target) for row in rows]
    thing = f"fallbacks of {model.name}"
    if sorted(wanted) == sorted(before):
        if wanted:
            plan.add(Action.UNCHANGED, thing)
        return
    rows.delete()
    for cause, position, target in wanted:
        Route.objects.create(model=model, cause=cause, position=position, target=target)
    action = (Action.CHANGED if before else Action.CREATED) if wanted else Action.REMOVED
    plan.add(action, thing, ", ".join(target for _, _, target in wanted))
