"""Removes what a file does not name, of the kinds that it has a section for.

What the ledger or the price book still needs is blocked instead.
"""

from django.db.models import Model as Row
from msgspec import UNSET, UnsetType

from providers.configuration import schema
from providers.configuration.names import Known, model_reached
from providers.configuration.plan import Action, Plan
from providers.configuration.tenancy import blocked_when_pruned
from providers.models import Alias, Deployment, Model, PlatformDefault, Provider, Route
from tenants.models import ApiKey, LimitClass, Policy, Project, Tenant


def sections_prune(plan: Plan, file: schema.Configuration) -> None:
    """Prune or keep what the file's sections leave out; keys, limits and prices saw to themselves."""
    _remove(plan, Alias, file.aliases, "alias")
    _remove(plan, Model, file.models, "model")
    _providers_prune(plan, file)
    if not isinstance(file.tenants, UnsetType):
        for tenant in Tenant.objects.exclude(name__in=file.tenants):
            blocked_when_pruned(plan, tenant, f"tenant {tenant.name}")
    _classes_prune(plan, file)
    if plan.prune:
        _refuse_orphans(plan)


def known_stored(file: schema.Configuration, *, prune: bool) -> Known:
    """Names that are configured and stay: where the file prunes, its own sections alone count."""

    def stays(section: object) -> bool:
        return isinstance(section, UnsetType) or not prune

    projects: dict[str, set[str]] = {}
    for tenant, project in Project.objects.values_list("tenant__name", "name"):
        if stays(getattr((file.tenants or {}).get(tenant), "projects", UNSET)):
            projects.setdefault(tenant, set()).add(project)
    return Known(
        providers=_names(Provider) if stays(file.providers) else frozenset(),
        models=_names(Model) if stays(file.models) else frozenset(),
        aliases=dict(Alias.objects.values_list("name", "target")) if stays(file.aliases) else {},
        tenants=_names(Tenant) if stays(file.tenants) else frozenset(),
        projects={tenant: frozenset(names) for tenant, names in projects.items()},
        limit_classes=_names(LimitClass) if stays(file.limit_classes) else frozenset(),
        upstreams=frozenset(Deployment.objects.values_list("provider__name", "upstream_model")),
    )


def _names(kind: type[Row]) -> frozenset[str]:
    return frozenset(kind._default_manager.values_list("name", flat=True))


def _remove(plan: Plan, kind: type[Row], section: object, word: str) -> None:
    if isinstance(section, UnsetType):
        return
    for row in kind._default_manager.exclude(name__in=section):
        if plan.prune:
            row.delete()
            plan.add(Action.REMOVED, f"{word} {row}")
        else:
            plan.add(Action.KEPT, f"{word} {row}", "not in the file")


def _providers_prune(plan: Plan, file: schema.Configuration) -> None:
    if isinstance(file.providers, UnsetType):
        return
    for provider in Provider.objects.exclude(name__in=file.providers):
        thing = f"provider {provider.name}"
        if not plan.prune:
            plan.add(Action.KEPT, thing, "not in the file")
        elif not provider.prices.exists() and not provider.deployments.exists():
            provider.delete()
            plan.add(Action.REMOVED, thing)
        elif provider.blocked:
            plan.add(Action.UNCHANGED, thing, "blocked, not in the file")
        else:
            provider.blocked = True
            provider.save(update_fields=["blocked"])
            plan.add(Action.BLOCKED, thing, "prices or deployments name it")


def _classes_prune(plan: Plan, file: schema.Configuration) -> None:
    if isinstance(file.limit_classes, UnsetType):
        return
    for row in LimitClass.objects.exclude(name__in=file.limit_classes):
        used = row.keys.exists()
        if plan.prune and not used:
            row.delete()
            plan.add(Action.REMOVED, f"limit class {row.name}")
        else:
            plan.add(Action.KEPT, f"limit class {row.name}", "keys use it" if used else "not in the file")


def _refuse_orphans(plan: Plan) -> None:
    """Nothing that stays may name a model that is gone."""
    known = Known(models=_names(Model), aliases=dict(Alias.objects.values_list("name", "target")))
    names = [
        *((f"aliases.{row.name}", row.target) for row in Alias.objects.all()),
        *(
            (f"the fallbacks of {row.model.name}", row.target)
            for row in Route.objects.select_related("model")
        ),
        *((f"the default {row.kind} model", row.model) for row in PlatformDefault.objects.all()),
    ]
    for tenant in Tenant.objects.all():
        for model in filter(None, (tenant.default_chat_model, tenant.default_embedding_model)):
            names.append((f"a default of tenant {tenant.name}", model))
    for policy in Policy.objects.exclude(semantic_model="").select_related("tenant"):
        names.append((f"the policy of tenant {policy.tenant}", policy.semantic_model))
    for key in ApiKey.objects.filter(blocked=False).select_related("tenant"):
        names += [(f"the key {key.tenant or 'platform'}/{key.name}", model) for model in key.models]
    for place, name in names:
        if not model_reached(name, known):
            plan.problem(place, f"without the pruned ones there is no model, alias or pattern for {name}")
