"""The models that a key may use, and how they are."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from msgspec.structs import replace

from api.telling.desk import Desk, Question
from api.telling.facts import ModelFact, Status
from gateway.breaker import State
from gateway.catalog import Deployment, Model, Snapshot, unknown_model
from gateway.errors import UnknownModel
from gateway.principal import Principal
from gateway.steps.admit import may_use

ANY_KIND = "any"
"""What a model serves that was found by a pattern."""


def list_names(_: Desk, question: Question) -> list[Model]:
    """What a key may ask for by name: models and aliases, not patterns."""
    snapshot, principal = question.snapshot, question.principal
    aliased = [replace(model, name=alias) for alias, model in _aliased(snapshot, principal)]
    return sorted([*_exact(snapshot, principal), *aliased], key=lambda model: model.name)


def tell_name(_: Desk, question: Question) -> Model:
    """The model that a name leads to, under that name."""
    return replace(_resolved(question.snapshot, question.principal, question.name), name=question.name)


def list_models(desk: Desk, question: Question) -> Sequence[ModelFact]:
    """Each model once, with its second names."""
    snapshot, principal = question.snapshot, question.principal
    found = {model.name: model for _, model in _aliased(snapshot, principal)}
    found |= {model.name: model for model in _exact(snapshot, principal)}
    aliases = _aliases_of(snapshot, principal)
    return [_fact(desk, found[name], aliases.get(name, ()), principal) for name in sorted(found)]


def tell_model(desk: Desk, question: Question) -> ModelFact:
    """One model, by whichever of its names."""
    snapshot, principal = question.snapshot, question.principal
    model = _resolved(snapshot, principal, question.name)
    return _fact(desk, model, _aliases_of(snapshot, principal).get(model.name, ()), principal)


def served_to(model: Model, tenant_id: UUID) -> list[Deployment]:
    """The deployments that answer a tenant's calls."""
    return [one for one in model.deployments if one.provider.tenant_id in (None, tenant_id)]


def status_of(states: Iterable[State]) -> Status:
    """Available while no breaker speaks against it, unavailable while all do."""
    open_ones = [state != "closed" for state in states]
    if not any(open_ones):
        return "available" if open_ones else "unavailable"
    return "unavailable" if all(open_ones) else "degraded"


def _resolved(snapshot: Snapshot, principal: Principal, name: str) -> Model:
    model = snapshot.resolve(name)
    if not may_use(principal, model, name):
        raise unknown_model(name)
    return model


def _exact(snapshot: Snapshot, principal: Principal) -> list[Model]:
    models = [model for name, model in snapshot.models.items() if "*" not in name]
    return [model for model in models if may_use(principal, model, model.name)]


def _aliased(snapshot: Snapshot, principal: Principal) -> Iterable[tuple[str, Model]]:
    for alias, target in snapshot.aliases.items():
        with suppress(UnknownModel):
            model = snapshot.resolve(target)
            if alias not in snapshot.models and may_use(principal, model, alias):
                yield alias, model


def _aliases_of(snapshot: Snapshot, principal: Principal) -> Mapping[str, Sequence[str]]:
    aliases: dict[str, list[str]] = {}
    for alias, model in _aliased(snapshot, principal):
        aliases.setdefault(model.name, []).append(alias)
    return aliases


def _fact(desk: Desk, model: Model, aliases: Sequence[str], principal: Principal) -> ModelFact:
    deployments = served_to(model, principal.tenant_id)
    first = min(deployments, key=lambda one: one.priority)
    return ModelFact(
        name=model.name,
        provider=first.provider.name,
        type=ANY_KIND if model.pattern else model.kind,
        status=status_of(map(desk.board.state, deployments)),
        capabilities=model.capabilities,
        context_window=model.context_window,
        aliases=tuple(sorted(aliases)),
    )
