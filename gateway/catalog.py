"""Models, deployments and prices as the engine sees them: an immutable snapshot."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import GatewayError, UnknownModel
from gateway.exchange import Timeouts
from gateway.patterns import best_pattern, fill_star, matches
from gateway.pricing import PriceCard

Security = Literal["low", "medium", "high"]
LEVELS: Mapping[Security, int] = {"low": 0, "medium": 1, "high": 2}
Strategy = Literal[
    "weighted", "priority", "least_busy", "latency", "price", "quality", "affinity", "sensitivity"
]
Sticky = Literal["", "conversation", "end_user", "key"]

_RESOLVED_AT_MOST = 4096
_LONGEST_NAME = 200
_LONGEST_CHAIN = 8


class UnknownProvider(GatewayError):
    """The provider does not exist, or this key may not use it."""

    code = "provider_not_found"
    status = 404


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


class ProviderKey(Struct, frozen=True, kw_only=True):
    """A credential, and what its provider lets it do."""

    id: UUID
    name: str
    secret: Secret
    rpm: int | None = None
    tpm: int | None = None
    parallel: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether its provider sets it any limit."""
        return self.rpm is not None or self.tpm is not None or self.parallel is not None


class Provider(Struct, frozen=True, kw_only=True):
    """A host and how to speak to it."""

    id: UUID
    name: str
    wire: str
    base_url: str
    secret: Secret | None = None
    """What opens it: of several keys, the one that was chosen for this attempt."""
    keys: tuple[ProviderKey, ...] = ()
    headers: Mapping[str, str] = {}
    timeouts: Timeouts = Timeouts()
    tenant_id: UUID | None = None
    security: Security = "medium"
    default_model: str = ""
    """Answers who names this provider and no model."""
    is_local: bool = False
    """It stands on this machine, or in a network of our own."""
    includes_usage: bool = True
    has_responses: bool = False
    """It answers requests for responses itself; for others they are told through chats."""
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
    max_parallel: int | None = None
    quality: float | None = None
    """How good its answers are, from 0 to 1; None where nobody has said."""
    own_timeouts: Timeouts | None = None
    """The model's, where it has others than the provider."""
    held_open: bool = False
    """An operator keeps its breaker open."""
    closed_at: float = 0.0
    """When an operator last closed its breaker, in seconds since the epoch."""

    @property
    def timeouts(self) -> Timeouts:
        """How long a call may wait here."""
        return self.own_timeouts or self.provider.timeouts

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
    capabilities: tuple[str, ...] = ()
    created: int = 0
    strategy: Strategy = "weighted"
    """How to choose among its deployments of equal priority."""
    sticky: Sticky = ""
    """What keeps to one deployment as long as that one is well."""
    hedge: bool = False
    """A second deployment is asked too when the first takes longer than it mostly does."""
    batch_size: int = 1
    """Most embeddings of one tenant that become one call of the provider."""
    batch_seconds: float = 0.005
    """How long the first of them waits for others."""


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
        stand_in: str = "",
    ) -> None:
        self.models = models
        self.aliases = aliases
        self.defaults = defaults
        self.revision = revision
        self.stand_in = stand_in
        """The provider that answers for those that are not there, if one does."""
        self._cards_for = cards_for
        self._providers = _providers_by_name(models.values())
        self._default_names: dict[str, str] = {}
        self._patterns = tuple(name for name in models if "*" in name)
        self._resolved: dict[str, Model] = {}
        self._reach: dict[tuple[str, int], tuple[Model, ...]] = {}
        """By a model's name and a tenant's number, which is looked up faster than the id itself."""

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
        key = (model.name, tenant_id.int)
        found = self._reach.get(key)
        if found is None:
            names = dict.fromkeys(name for names in model.fallbacks.values() for name in names)
            models = (model, *filter(None, map(self.find, names)))
            found = tuple(replace(one, deployments=_serving(one, tenant_id)) for one in models)
            if len(self._reach) < _RESOLVED_AT_MOST:
                self._reach[key] = found
        return found

    def provider(self, name: str, tenant_id: UUID) -> Provider:
        """The provider of a name, of those that serve a tenant; else the one that stands in for it."""
        for one in (*self._providers.get(name, ()), *self._providers.get(self.stand_in, ())):
            if one.tenant_id in (None, tenant_id):
                return one
        raise UnknownProvider(
            f"The provider '{name[:_LONGEST_NAME]}' does not exist, or this key may not use it.",
            param="provider",
        )

    def default_of(self, provider: Provider) -> str:
        """The name to ask for a provider's default model by, whether it is set in our words or in its own."""
        name = self._default_names.get(provider.name)
        if name is None:
            name = self._default_names[provider.name] = self._find_default(provider)
        return name

    def _find_default(self, provider: Provider) -> str:
        wanted = provider.default_model
        model = self.find(wanted) if wanted else None
        if model is not None and any(one.provider.name == provider.name for one in model.deployments):
            return wanted
        for model in self.models.values() if wanted else ():
            for one in model.deployments:
                name = fill_star(model.name, one.upstream, wanted)
                if one.provider.name == provider.name and matches(one.upstream, wanted) and "*" not in name:
                    return name
        return ""

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


def _providers_by_name(models: Iterable[Model]) -> Mapping[str, tuple[Provider, ...]]:
    """Once for everyone, and once for each tenant that brought a key of its own."""
    found: dict[str, dict[UUID | None, Provider]] = {}
    for model in models:
        for deployment in model.deployments:
            provider = deployment.provider
            found.setdefault(provider.name, {})[provider.tenant_id] = provider
    return {name: tuple(ones.values()) for name, ones in found.items()}


def _serving(model: Model, tenant_id: UUID) -> tuple[Deployment, ...]:
    return tuple(one for one in model.deployments if one.provider.tenant_id in (None, tenant_id))


def unknown_model(name: str) -> UnknownModel:
    """The same words for a model that is not there and one that the key may not use."""
    return UnknownModel(
        f"The model '{name[:200]}' does not exist, or this key may not use it.", param="model"
    )
