"""The providers that serve a key, and how they are."""

from collections.abc import Iterator, Sequence

from api.telling.desk import Desk, Question
from api.telling.facts import ProviderFact, Status
from api.telling.models import served_to, status_of
from gateway.call import Usage
from gateway.catalog import Deployment, Model, Provider, Snapshot
from gateway.patterns import matches
from gateway.pricing import card_at, price_usage
from gateway.principal import Principal
from gateway.steps.admit import may_use

_MILLION = 1_000_000
_NANO = 1_000_000_000


def list_providers(desk: Desk, question: Question) -> Sequence[ProviderFact]:
    """Each with the models that the key may have from it; a star stands for any name."""
    snapshot, principal = question.snapshot, question.principal
    found: dict[str, tuple[Provider, list[str], list[Deployment]]] = {}
    for model in reachable_models(snapshot, principal):
        for deployment in served_to(model, principal.tenant_id):
            provider = deployment.provider
            _, names, deployments = found.setdefault(provider.name, (provider, [], []))
            deployments.append(deployment)
            if model.name not in names:
                names.append(model.name)
    return [
        ProviderFact(
            name=name,
            type="local" if provider.is_local else "cloud",
            security_level=provider.security,
            status=provider_status(desk, deployments),
            default_model=provider.default_model,
            models=tuple(sorted(names)),
            cost_per_token=_output_price(desk, provider, snapshot, principal),
        )
        for name, (provider, names, deployments) in sorted(found.items())
    ]


def reachable_models(snapshot: Snapshot, principal: Principal) -> Iterator[Model]:
    """What a key can name, patterns too."""
    for name, model in snapshot.models.items():
        is_covered = "*" in name and any(matches(name, allowed) for allowed in principal.models)
        if is_covered or may_use(principal, model, name):
            yield model


def provider_status(desk: Desk, deployments: Sequence[Deployment]) -> Status:
    """From the breakers as this process knows them; a name that a star stands for counts where it was met."""
    states = [state for one in deployments for state in desk.board.states_of(one)]
    return status_of(states) if states else "available"


def _output_price(desk: Desk, provider: Provider, snapshot: Snapshot, principal: Principal) -> float | None:
    """What the caller pays for a token of the default model's answers, in dollars."""
    name = snapshot.default_of(provider)
    model = snapshot.find(name) if name else None
    for deployment in model.deployments if model is not None else ():
        card = card_at(deployment.cards, desk.now_ms) if deployment.provider.name == provider.name else None
        if card is not None:
            priced = price_usage(Usage(output=_MILLION), card, principal.terms)
            return priced.charge_nano / _NANO / _MILLION
    return None
