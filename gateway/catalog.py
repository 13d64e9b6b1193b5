"""Models, deployments and prices as the engine sees them: an immutable snapshot."""

from collections.abc import Callable, Mapping
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import UnknownModel
from gateway.exchange import Timeouts
from gateway.patterns import best_pattern, fill_star
from gateway.pricing import PriceCard

Security = Literal["low", "medium", "high"]

_RESOLVED_AT_MOST = 4096
_LONGEST_NAME = 200
_LONGEST_CHAIN = 8


class Secret:
    """A provider's key; nothing that prints it shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the header that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(•••)"


class Provider(Struct, frozen=True, kw_only=True):
    """A host and how to speak to it."""

    id: UUID
    name: str
    wire: str
    base_url: str
    secret: Secret | None = None
    headers: Mapping[str, str] = {}
    timeouts: Timeouts = Timeouts()
    tenant_id: UUID | None = None
    security: Security = "medium"
    includes_usage: bool = True
    bills_to_end: bool = False
    """It goes on, and bills, when nobody listens any more."""


class Deployment(Struct, frozen=True, kw_only=True):
    """A model at a provider; `upstream` may hold the star of its model's pattern."""

    id: UUID
    provider: Provider
    upstream: str
    weight: int = 1
    priority: int = 0
    region: str = ""
    cards: tuple[PriceCard, ...] = ()

    @property
    def name(self) -> str:
        """As entries and headers print it."""
        return f"{self.provider.name}/{self.upstream}"


class Model(Struct, frozen=True, kw_only=True):
    """What callers ask for by name."""

    name: str
    kind: str = "chat"
    deployments: tuple[Deployment, ...] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = {}
    """By cause of failure: `any`, `error`, `context_length`, `content_policy`, `budget`."""
    pattern: str = ""
    """The pattern that a name was resolved by; such a model serves whatever kind is asked."""
    context_window: int | None = None
    max_output: int | None = None
    vocabulary: str = ""
    """The tokenizer by which its tokens can be counted here; without one, bytes stand for tokens."""
    created: int = 0


CardsFor = Callable[[Provider, str, str], tuple[PriceCard, ...]]
"""The prices of a provider's model in a region: asked when a star is filled in."""


class Snapshot:
    """The catalog at one revision, with what names resolve to."""

    def __init__(
        self,
        *,
        models: Mapping[str, Model],
        aliases: Mapping[str, str],
        defaults: Mapping[str, str],
        cards_for: CardsFor | None = None,
        revision: int = 0,
    ) -> None:
        self.models = models
        self.aliases = aliases
        self.defaults = defaults
        self.revision = revision
        self._cards_for = cards_for
        self._patterns = tuple(name for name in models if "*" in name)
        self._resolved: dict[str, Model] = {}
        self._reach: dict[tuple[str, UUID], tuple[Model, ...]] = {}

    def resolve(self, name: str) -> Model:
        """The model of a name: exactly, then as an alias, then by the longest pattern."""
        found = self._resolved.get(name)
        if found is None:
            found = self._find(name)
            if len(self._resolved) < _RESOLVED_AT_MOST:
                self._resolved[name] = found
        return found

    def reachable(self, model: Model, tenant_id: UUID) -> tuple[Model, ...]:
        """Every model that may come to answer a tenant's call, with the deployments that serve them."""
        key = (model.name, tenant_id)
        found = self._reach.get(key)
        if found is None:
            names = dict.fromkeys(name for names in model.fallbacks.values() for name in names)
            models = (model, *filter(None, map(self.find, names)))
            found = tuple(replace(one, deployments=_serving(one, tenant_id)) for one in models)
            if len(self._reach) < _RESOLVED_AT_MOST:
                self._reach[key] = found
        return found

    def find(self, name: str) -> Model | None:
        """The model of a name, if there is one: fallbacks may name what is blocked or gone."""
        try:
            return self.resolve(name)
        except UnknownModel:
            return None

    def _find(self, name: str) -> Model:
        if name in self.models and "*" not in name:
            return self.models[name]
        wanted = self._unaliased(name)
        if wanted in self.models and "*" not in wanted:
            return self.models[wanted]
        if not wanted.isprintable() or len(wanted) > _LONGEST_NAME or "*" in wanted:
            raise unknown_model(name)
        pattern = best_pattern(self._patterns, wanted)
        if pattern is None:
            raise unknown_model(name)
        model = self.models[pattern]
        deployments = tuple(self._filled(deployment, pattern, wanted) for deployment in model.deployments)
        return replace(model, name=wanted, pattern=pattern, deployments=deployments)

    def _unaliased(self, name: str) -> str:
        for _ in range(_LONGEST_CHAIN):
            if name not in self.aliases:
                break
            name = self.aliases[name]
        return name

    def _filled(self, deployment: Deployment, pattern: str, wanted: str) -> Deployment:
        upstream = fill_star(deployment.upstream, pattern, wanted)
        if upstream == deployment.upstream or self._cards_for is None:
            return replace(deployment, upstream=upstream)
        return replace(
            deployment,
            upstream=upstream,
            cards=self._cards_for(deployment.provider, upstream, deployment.region),
        )


def _serving(model: Model, tenant_id: UUID) -> tuple[Deployment, ...]:
    return tuple(one for one in model.deployments if one.provider.tenant_id in (None, tenant_id))


def unknown_model(name: str) -> UnknownModel:
    """The same words for a model that is not there and one that the key may not use."""
    return UnknownModel(
        f"The model '{name[:200]}' does not exist, or this key may not use it.", param="model"
    )
