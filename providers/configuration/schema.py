"""What the declarative file may say.

A field that is left out is UNSET and changes nothing; a null clears. Names are the file's, not the tables'.
"""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from providers.configuration.parts import (
    Budget,
    Cause,
    Dollars,
    Limits,
    ModelName,
    Moment,
    Name,
    Names,
    Part,
    PlatformRole,
    Positive,
    Rank,
    Role,
    Secret,
    Sha256,
    Share,
    Signed,
    Small,
    Strategy,
)


class ProviderLimits(Part, frozen=True, kw_only=True):
    """What a provider allows each of its keys that says nothing else."""

    rpm: Small | UnsetType | None = UNSET
    tpm: Small | UnsetType | None = UNSET
    parallel: Small | UnsetType | None = UNSET


class ProviderKey(ProviderLimits, frozen=True, kw_only=True):
    """A credential for a provider."""

    name: Name
    secret: Secret | UnsetType = UNSET
    tenant: Name | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET


class Timeout(Part, frozen=True, kw_only=True):
    """Longest waits, in seconds; a model's null is its provider's wait."""

    connect: Decimal | UnsetType | None = UNSET
    first_byte: Decimal | UnsetType | None = UNSET
    idle: Decimal | UnsetType | None = UNSET
    total: Decimal | UnsetType | None = UNSET


class Provider(Part, frozen=True, kw_only=True):
    """A host that runs models."""

    wire: Literal["openai", "anthropic", "litellm", "echo"] | UnsetType = UNSET
    base_url: str | UnsetType = UNSET
    keys: tuple[ProviderKey, ...] = ()
    type: Literal["local", "cloud", ""] | UnsetType = UNSET
    security: Literal["low", "medium", "high"] | UnsetType = UNSET
    default_model: str | UnsetType = UNSET
    cost_per_token: Dollars | UnsetType = UNSET
    timeout: Timeout | UnsetType = UNSET
    limits: ProviderLimits | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    includes_usage: bool | UnsetType = UNSET
    has_responses: bool | UnsetType = UNSET
    bills_to_end: bool | UnsetType = UNSET
    tenant: Name | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET


class Deployment(Part, frozen=True, kw_only=True):
    """A model at a provider; without a name of its own there, it has the same one."""

    provider: Name
    model: ModelName | UnsetType = UNSET
    weight: Small | UnsetType = UNSET
    priority: Signed | UnsetType = UNSET
    region: Annotated[str, Meta(max_length=64)] = ""
    max_parallel: Small | UnsetType | None = UNSET
    quality: Share | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET
    held_open: bool | UnsetType = UNSET


class Batch(Part, frozen=True, kw_only=True):
    """How many embeddings become one call, and how long the first one waits for others."""

    size: Positive | UnsetType = UNSET
    milliseconds: Small | UnsetType = UNSET


class Model(Part, frozen=True, kw_only=True):
    """A name that callers use; its fallbacks are a list for any cause, or lists by cause."""

    deployments: tuple[Deployment, ...] | UnsetType = UNSET
    fallbacks: Names | dict[Cause, Names] | UnsetType = UNSET
    kind: Literal["chat", "embedding", "image", "audio", "rerank", "moderation"] | UnsetType = UNSET
    context_window: Small | UnsetType | None = UNSET
    max_output_tokens: Small | UnsetType | None = UNSET
    vocabulary: Literal["o200k_base", "cl100k_base", ""] | UnsetType = UNSET
    capabilities: Names | UnsetType = UNSET
    strategy: Strategy | UnsetType = UNSET
    sticky: Literal["conversation", "end_user", "key", ""] | UnsetType = UNSET
    hedge: bool | UnsetType = UNSET
    batch: Batch | UnsetType = UNSET
    timeout: Timeout | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET


class When(Part, frozen=True, kw_only=True):
    """When a price holds: the prompt's length, the class of service, the region."""

    context_above: Positive | None = None
    service_tier: str = ""
    region: str = ""


class Price(Part, frozen=True, kw_only=True):
    """Dollars as price lists print them: tokens per million, all else each."""

    model: Name
    provider: Name | None = None
    tenant: Name | None = None
    side: Literal["cost", "sell"] = "cost"
    when: When = When()
    input: Dollars | UnsetType = UNSET
    cache_read: Dollars | UnsetType = UNSET
    cache_write_5m: Dollars | UnsetType = UNSET
    cache_write_1h: Dollars | UnsetType = UNSET
    output: Dollars | UnsetType = UNSET
    reasoning: Dollars | UnsetType = UNSET
    audio_in: Dollars | UnsetType = UNSET
    audio_out: Dollars | UnsetType = UNSET
    image: Dollars | UnsetType = UNSET
    request: Dollars | UnsetType = UNSET
    search: Dollars | UnsetType = UNSET
    audio_second: Dollars | UnsetType = UNSET
    image_in: Dollars | UnsetType = UNSET
    image_out: Dollars | UnsetType = UNSET


class PerUser(Part, frozen=True, kw_only=True):
    """What each end user of a key gets."""

    limit_class: Name | None = field(name="class")


class Bounded(Part, frozen=True, kw_only=True):
    """What limits and budgets can hang on."""

    limits: Limits | UnsetType = UNSET
    budgets: tuple[Budget, ...] | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET


class AnyKey(Bounded, frozen=True, kw_only=True):
    """What tenants' and platform keys have in common; `sha256` is told where only its holder has the key."""

    name: Name
    secret: Secret | UnsetType = UNSET
    sha256: Sha256 | UnsetType = UNSET
    models: Names | UnsetType = UNSET
    networks: Names | UnsetType = UNSET
    expires: Moment | UnsetType | None = UNSET
    per_user: PerUser | UnsetType = UNSET
    priority: Rank | UnsetType = UNSET


class Key(AnyKey, frozen=True, kw_only=True):
    """A key of a tenant."""

    project: Name | UnsetType | None = UNSET
    roles: tuple[Role, ...] | UnsetType = UNSET


class PlatformKey(AnyKey, frozen=True, kw_only=True):
    """A key that may act for tenants: all, or those it was granted."""

    roles: tuple[PlatformRole, ...] | UnsetType = UNSET
    tenants: Literal["all"] | Names | UnsetType = UNSET


class Project(Bounded, frozen=True, kw_only=True):
    """A part of a tenant whose spending is told apart."""

    cost_centre: str | UnsetType = UNSET


class Contract(Part, frozen=True, kw_only=True):
    """What a tenant pays beside the provider's cost."""

    markup_bps: int | UnsetType = UNSET


class Sensitivity(Part, frozen=True, kw_only=True):
    """What happens to prompts whose score reaches the threshold, a fraction of one."""

    action: Literal["route", "redact", "block", "note"] | UnsetType = UNSET
    threshold: Share | UnsetType = UNSET


class Semantic(Part, frozen=True, kw_only=True):
    """The model that finds prompts of the same meaning, and how alike they are, a fraction of one."""

    model: str | UnsetType = UNSET
    threshold: Share | UnsetType = UNSET


class Policy(Part, frozen=True, kw_only=True):
    """How a tenant's calls are treated."""

    cache: Literal["off", "deterministic", "all"] | UnsetType = UNSET
    cache_seconds: Positive | UnsetType = UNSET
    semantic: Semantic | UnsetType = UNSET
    prompt_cache: Literal["off", "auto"] | UnsetType = UNSET
    queue_seconds: Small | UnsetType = UNSET
    queue_length: Small | UnsetType = UNSET
    over_budget: Literal["refuse", "clamp"] | UnsetType = UNSET
    books_away: Literal["refuse", "allow"] | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType = UNSET
    log_content: bool | UnsetType = UNSET
    tags: Names | UnsetType = UNSET


class Defaults(Part, frozen=True, kw_only=True):
    """Models for calls that name none."""

    chat: str | UnsetType = UNSET
    embedding: str | UnsetType = UNSET


class Tenant(Bounded, frozen=True, kw_only=True):
    """A customer or department."""

    title: str | UnsetType = UNSET
    time_zone: Name | UnsetType = UNSET
    projects: dict[str, Project] | UnsetType = UNSET
    keys: tuple[Key, ...] | UnsetType = UNSET
    contract: Contract | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    defaults: Defaults | UnsetType = UNSET


class Platform(Part, frozen=True, kw_only=True):
    """What belongs to no tenant."""

    keys: tuple[PlatformKey, ...] | UnsetType = UNSET


class Configuration(Part, frozen=True, kw_only=True):
    """The whole file."""

    providers: dict[str, Provider] | UnsetType = UNSET
    models: dict[str, Model] | UnsetType = UNSET
    aliases: dict[str, str] | UnsetType = UNSET
    prices: tuple[Price, ...] | UnsetType = UNSET
    tenants: dict[str, Tenant] | UnsetType = UNSET
    limit_classes: dict[str, Limits] | UnsetType = UNSET
    defaults: Defaults | UnsetType = UNSET
    platform: Platform | UnsetType = UNSET
