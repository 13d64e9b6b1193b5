"""Applies the tenants of a file, with their projects, policies and keys."""

from msgspec import UNSET, UnsetType

from providers.configuration import schema
from providers.configuration.bounds import Owner, bounds_apply
from providers.configuration.credentials import keys_apply
from providers.configuration.figures import BASIS_POINTS, given_whole
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import path_join
from providers.configuration.rows import named_values, row_apply
from tenants.models import Policy, Project, Tenant

_TENANT_WORDS = {
    "markup_bps": "contract.markup_bps",
    "default_chat_model": "defaults.chat",
    "default_embedding_model": "defaults.embedding",
}
_POLICY_WORDS = {
    "sensitivity_action": "sensitivity.action",
    "sensitivity_threshold": "sensitivity.threshold",
    "semantic_model": "semantic.model",
    "semantic_threshold": "semantic.threshold",
}


def tenants_apply(plan: Plan, tenants: dict[str, schema.Tenant]) -> None:
    """Create and change tenants with all that is theirs."""
    rows = {row.name: row for row in Tenant.objects.all()}
    for name, wanted in tenants.items():
        path = path_join("tenants", name)
        thing = f"tenant {name}"
        tenant = row_apply(
            plan,
            rows.get(name) or Tenant(name=name),
            _tenant_values(wanted),
            path=path,
            thing=thing,
            words=_TENANT_WORDS,
        )
        if tenant is None:
            continue
        bounds_apply(plan, Owner("tenant", tenant, thing), wanted, path)
        if wanted.policy:
            _policy_apply(plan, tenant, wanted.policy, f"{path}.policy")
        if not isinstance(wanted.projects, UnsetType):
            _projects_apply(plan, tenant, wanted.projects, f"{path}.projects")
        if not isinstance(wanted.keys, UnsetType):
            keys_apply(plan, tenant, wanted.keys, f"{path}.keys")


def _tenant_values(wanted: schema.Tenant) -> dict[str, object]:
    defaults = wanted.defaults or schema.Defaults()
    return named_values(
        title=wanted.title,
        time_zone=wanted.time_zone,
        blocked=wanted.blocked,
        markup_bps=wanted.contract.markup_bps if wanted.contract else UNSET,
        default_chat_model=defaults.chat,
        default_embedding_model=defaults.embedding,
    )


def _projects_apply(plan: Plan, tenant: Tenant, projects: dict[str, schema.Project], path: str) -> None:
    rows = {row.name: row for row in tenant.projects.all()}
    for name, wanted in projects.items():
        place = path_join(path, name)
        thing = f"project {tenant.name}/{name}"
        row = rows.pop(name, None) or Project(tenant=tenant, name=name)
        values = named_values(cost_centre=wanted.cost_centre, blocked=wanted.blocked)
        project = row_apply(plan, row, values, path=place, thing=thing)
        if project is not None:
            bounds_apply(plan, Owner("project", project, thing), wanted, place)
    for row in rows.values():
        blocked_when_pruned(plan, row, f"project {tenant.name}/{row.name}")


def blocked_when_pruned(plan: Plan, row: Tenant | Project, thing: str) -> None:
    """What the ledger names is not removed, but let in no more."""
    if not plan.prune:
        plan.add(Action.KEPT, thing, "not in the file")
    elif row.blocked:
        plan.add(Action.UNCHANGED, thing, "blocked, not in the file")
    else:
        row.blocked = True
        row.save(update_fields=["blocked"])
        plan.add(Action.BLOCKED, thing, "the ledger names it")


def policy_set(*, tenant: Tenant, wanted: schema.Policy) -> None:
    """Let a tenant's calls be treated as the description says.

    What it says nothing of stays. Its names were looked up before.
    """
    plan = Plan()
    _policy_apply(plan, tenant, wanted, "policy")
    plan.refuse_problems()


def _policy_apply(plan: Plan, tenant: Tenant, wanted: schema.Policy, path: str) -> None:
    sensitivity = wanted.sensitivity or schema.Sensitivity()
    semantic = wanted.semantic or schema.Semantic()

    def threshold(part: schema.Sensitivity | schema.Semantic, name: str) -> int | UnsetType | None:
        place = f"{path}.{name}.threshold"
        return given_whole(plan, part.threshold, BASIS_POINTS, path=place, unit="basis points")

    values = named_values(
        cache=wanted.cache,
        cache_seconds=wanted.cache_seconds,
        semantic_model=semantic.model,
        semantic_threshold=threshold(semantic, "semantic"),
        prompt_cache=wanted.prompt_cache,
        queue_seconds=wanted.queue_seconds,
        queue_length=wanted.queue_length,
        over_budget=wanted.over_budget,
        books_away=wanted.books_away,
        sensitivity_action=sensitivity.action,
        sensitivity_threshold=threshold(sensitivity, "sensitivity"),
        log_content=wanted.log_content,
        tags=wanted.tags,
    )
    row = Policy.objects.filter(tenant=tenant).first() or Policy(tenant=tenant)
    row_apply(plan, row, values, path=path, thing=f"policy of tenant {tenant.name}", words=_POLICY_WORDS)
