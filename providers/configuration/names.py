"""Whether every name in a file leads somewhere: to the file itself, or to what is configured already."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, UnsetType

from gateway.patterns import best_pattern, matches
from providers.configuration.problems import path_join
from providers.configuration.schema import AnyKey, Bounded, Configuration, Model, Tenant


class Known(Struct, frozen=True, kw_only=True):
    """Names that are configured and will stay."""

    providers: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = {}
    tenants: frozenset[str] = frozenset()
    projects: Mapping[str, frozenset[str]] = {}
    limit_classes: frozenset[str] = frozenset()
    upstreams: frozenset[tuple[str, str]] = frozenset()
    """Providers with their own names of the models that they run."""


def names_check(file: Configuration, stored: Known) -> Iterator[str]:
    """The problems of names that lead nowhere, or in a circle."""
    known = _known(file, stored)
    yield from _providers(file, known)
    yield from _models(file, known)
    yield from _aliases(file, known)
    yield from _prices(file, known)
    yield from _tenants(file, known)
    yield from _platform(file, known)


def _known(file: Configuration, stored: Known) -> Known:
    tenants = file.tenants or {}
    projects = {
        tenant: stored.projects.get(tenant, frozenset()) | frozenset(tenants[tenant].projects or ())
        for tenant in tenants
    }
    return Known(
        providers=stored.providers | frozenset(file.providers or ()),
        models=stored.models | frozenset(file.models or ()),
        aliases={**stored.aliases, **(file.aliases or {})},
        tenants=stored.tenants | frozenset(tenants),
        projects=projects,
        limit_classes=stored.limit_classes | frozenset(file.limit_classes or ()),
        upstreams=stored.upstreams | _upstreams(file),
    )


def _upstreams(file: Configuration) -> frozenset[tuple[str, str]]:
    return frozenset(
        (deployment.provider, deployment.model or name)
        for name, model in (file.models or {}).items()
        for deployment in model.deployments or ()
    )


def _providers(file: Configuration, known: Known) -> Iterator[str]:
    for name, provider in (file.providers or {}).items():
        path = path_join("providers", name)
        yield from _one(f"{path}.tenant", provider.tenant, known.tenants, "tenant")
        for index, key in enumerate(provider.keys):
            yield from _one(f"{path}.keys[{index}].tenant", key.tenant, known.tenants, "tenant")
        if provider.default_model and not _runs(known, name, provider.default_model):
            yield from _model(f"{path}.default_model", provider.default_model, known)


def _runs(known: Known, provider: str, model: str) -> bool:
    return any(matches(upstream, model) for owner, upstream in known.upstreams if owner == provider)


def _models(file: Configuration, known: Known) -> Iterator[str]:
    for name, model in (file.models or {}).items():
        path = path_join("models", name)
        deployments = model.deployments or ()
        for index, deployment in enumerate(deployments):
            place = f"{path}.deployments[{index}]"
            yield from _one(f"{place}.provider", deployment.provider, known.providers, "provider")
            if "*" in (deployment.model or name) and "*" not in name:
                yield f"{place}.model: a star needs a pattern to fill it, and {name} is not one"
        for place, target in fallbacks_listed(model, path):
            yield from _model(place, target, known)


def fallbacks_listed(model: Model, path: str) -> Iterator[tuple[str, str]]:
    """Every fallback of a model with the place where it stands."""
    if isinstance(model.fallbacks, UnsetType):
        return
    if not isinstance(model.fallbacks, dict):
        yield from ((f"{path}.fallbacks[{i}]", target) for i, target in enumerate(model.fallbacks))
        return
    for cause, targets in model.fallbacks.items():
        yield from ((f"{path}.fallbacks.{cause}[{i}]", target) for i, target in enumerate(targets))


def _aliases(file: Configuration, known: Known) -> Iterator[str]:
    for name, target in (file.aliases or {}).items():
        path = path_join("aliases", name)
        if name in known.models:
            yield f"{path}: a model has this name, so the alias would never be used"
        elif _circles(name, known.aliases):
            yield f"{path}: the alias leads back to itself"
        else:
            yield from _model(path, target, known)


def _circles(name: str, aliases: Mapping[str, str]) -> bool:
    seen = {name}
    while (name := aliases.get(name, "")) and name not in seen:
        seen.add(name)
    return bool(name)


def _prices(file: Configuration, known: Known) -> Iterator[str]:
    for index, price in enumerate(file.prices or ()):
        yield from _one(f"prices[{index}].provider", price.provider, known.providers, "provider")
        yield from _one(f"prices[{index}].tenant", price.tenant, known.tenants, "tenant")


def _tenants(file: Configuration, known: Known) -> Iterator[str]:
    for name, tenant in (file.tenants or {}).items():
        path = path_join("tenants", name)
        yield from _bounds(path, tenant, known)
        for project, bounded in (tenant.projects or {}).items():
            yield from _bounds(path_join(f"{path}.projects", project), bounded, known)
        yield from _keys(f"{path}.keys", tenant.keys or (), known)
        for index, key in enumerate(tenant.keys or ()):
            yield from _one(f"{path}.keys[{index}].project", key.project, known.projects[name], "project")
        yield from _defaults(f"{path}.defaults", tenant, known)
        yield from _semantic(f"{path}.policy.semantic.model", tenant, known)
    yield from _defaults("defaults", file, known)


def _semantic(path: str, tenant: Tenant, known: Known) -> Iterator[str]:
    semantic = tenant.policy.semantic if tenant.policy else None
    if semantic and semantic.model:
        yield from _model(path, semantic.model, known)


def _platform(file: Configuration, known: Known) -> Iterator[str]:
    keys = (file.platform.keys or ()) if file.platform else ()
    yield from _keys("platform.keys", keys, known)
    for index, key in enumerate(keys):
        if isinstance(key.tenants, tuple):
            for place, tenant in enumerate(key.tenants):
                yield from _one(f"platform.keys[{index}].tenants[{place}]", tenant, known.tenants, "tenant")


def _keys(path: str, keys: Iterable[AnyKey], known: Known) -> Iterator[str]:
    for index, key in enumerate(keys):
        place = f"{path}[{index}]"
        for number, model in enumerate(key.models or ()):
            yield from _model(f"{place}.models[{number}]", model, known)
        if key.per_user:
            wanted = key.per_user.limit_class
            yield from _one(f"{place}.per_user.class", wanted, known.limit_classes, "limit class")
        yield from _bounds(place, key, known)


def _bounds(path: str, bounded: Bounded, known: Known) -> Iterator[str]:
    for index, budget in enumerate(bounded.budgets or ()):
        if budget.model:
            yield from _model(f"{path}.budgets[{index}].model", budget.model, known)


def _defaults(path: str, owner: Tenant | Configuration, known: Known) -> Iterator[str]:
    if owner.defaults:
        for kind in ("chat", "embedding"):
            if model := getattr(owner.defaults, kind):
                yield from _model(f"{path}.{kind}", model, known)


def model_reached(name: str, known: Known) -> bool:
    """Whether a model, alias or pattern answers to a name, or to some name of a pattern."""
    if name == "*" or name in known.models or name in known.aliases:
        return True
    if "*" not in name:
        return best_pattern([model for model in known.models if "*" in model], name) is not None
    return any(patterns_meet(name, other) for other in (*known.models, *known.aliases))


def _model(path: str, name: str, known: Known) -> Iterator[str]:
    if not model_reached(name, known):
        yield f"{path}: there is no model, alias or pattern for {name}"


def patterns_meet(one: str, other: str) -> bool:
    """Whether some name is covered by both; each is a name or has one star."""
    if "*" not in one or "*" not in other:
        plain, pattern = (one, other) if "*" not in one else (other, one)
        return best_pattern([pattern], plain) is not None
    (head, _, tail), (other_head, _, other_tail) = one.partition("*"), other.partition("*")
    heads = head.startswith(other_head) or other_head.startswith(head)
    return heads and (tail.endswith(other_tail) or other_tail.endswith(tail))


def _one(path: str, name: str | UnsetType | None, known: Iterable[str], what: str) -> Iterator[str]:
    if name and name not in known:
        yield f"{path}: there is no {what} {name}"
