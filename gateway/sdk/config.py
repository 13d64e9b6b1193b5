"""What a gateway in a script is told. An unknown field, or one that would have no effect, is an error."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Dollars = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Meter = Literal[
    "input", "output", "reasoning", "cache_read", "cache_write_5m", "cache_write_1h", "audio_in", "audio_out"
]

Strategy = Literal[
    "weighted",
    "priority",
    "least_busy",
    "latency",
    "price",
    "quality",
    "affinity",
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "cost-based-routing",
]
"""Ours, and those of LiteLLM's router that do the same."""

_NEEDS: Mapping[str, str] = {
    "cache": "enable_caching",
    "cache_config": "enable_caching",
    "vault": "enable_caching",
    "batch_size": "enable_request_batching",
    "batch_timeout": "enable_request_batching",
    "validation_level": "enable_validation",
    "forbidden_words": "enable_validation",
}
"""What says something of a feature, and is nothing without it."""


class Section(BaseModel):
    """Nothing unknown is passed over, and no error shows what was given: it may be a key."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Costs(Section):
    """Dollars a token, by the names that LiteLLM gives them."""

    input_cost_per_token: Dollars | None = None
    output_cost_per_token: Dollars | None = None
    output_cost_per_reasoning_token: Dollars | None = None
    cache_read_input_token_cost: Dollars | None = None
    cache_creation_input_token_cost: Dollars | None = None
    cache_creation_input_token_cost_above_1hr: Dollars | None = None


class ModelParams(Costs):
    """Where a model is, and what opens it."""

    model: str = Field(min_length=1)
    api_key: SecretStr | None = None
    api_base: str | None = None
    base_url: str | None = None
    custom_llm_provider: str | None = None
    organization: str | None = None
    extra_headers: dict[str, str] = {}
    timeout: Seconds | None = None
    weight: int = Field(1, ge=0)
    order: int = Field(0, ge=0)


class ModelInfo(Costs):
    """What is known of a model; what else stands here is for others to read."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    mode: str = ""
    max_input_tokens: Count | None = None
    max_output_tokens: Count | None = None


class ModelEntry(Section):
    """A deployment, as LiteLLM lists them; several of one name are one model."""

    model_name: str = Field(min_length=1)
    litellm_params: ModelParams
    model_info: ModelInfo = ModelInfo()


class RateLimitConfig(Section):
    """What each tenant may do; None is without limit."""

    requests_per_minute: Count | None = None
    requests_per_hour: Count | None = None
    requests_per_day: Count | None = None
    tokens_per_minute: Count | None = None
    tokens_per_hour: Count | None = None
    tokens_per_day: Count | None = None
    concurrent_requests: Count | None = None


class CircuitBreakerConfig(Section):
    """When a deployment that fails is left alone, and for how long."""

    failure_threshold: Count = 5
    recovery_timeout: Seconds = 60.0


class CacheConfig(Section):
    """Where answers are kept."""

    backend: Literal["memory", "dragonfly"] = "memory"
    dragonfly_url: str | None = None

    @model_validator(mode="after")
    def _has_its_address(self) -> Self:
        """An address belongs to what is asked there."""
        if (self.backend == "dragonfly") != (self.dragonfly_url is not None):
            raise ValueError("the backend 'dragonfly' and its dragonfly_url go together")
        return self


class GatewayConfig(Section):
    """Everything that can be said about a gateway."""

    model_list: list[ModelEntry] = []
    fallbacks: list[str | dict[str, list[str]]] = []
    timeout: Seconds = 60.0
    max_retries: Count = 3
    retry_delay: Pause = 1.0
    enable_circuit_breaker: bool = True
    enable_rate_limiting: bool = True
    enable_request_deduplication: bool = False
    enable_request_batching: bool = False
    enable_health_monitoring: bool = True
    enable_llmops: bool = True
    enable_validation: bool = False
    enable_feedback_loop: bool = False
    enable_caching: bool = False
    enable_kv_cache: bool = False
    cache_ttl: Seconds = 3600
    kv_cache_ttl: Seconds = 3600
    cache: Any = None
    cache_config: CacheConfig | None = None
    rate_limit_config: RateLimitConfig | None = None
    circuit_breaker_config: CircuitBreakerConfig | None = None
    vault: Any = None
    validation_level: Literal["basic", "standard", "strict"] | None = None
    validation_repair: bool = True
    forbidden_words: list[Annotated[str, Field(min_length=1)]] = []
    routing_strategy: Strategy | None = None
    batch_size: Count | None = None
    batch_timeout: Seconds | None = None
    api_keys: dict[str, SecretStr] = {}
    prices: dict[str, dict[Meter, Dollars]] = {}
    default_model: str = ""
    default_embedding_model: str = ""

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        """What would have none is an error."""
        for name, feature in _NEEDS.items():
            if name in self.model_fields_set and getattr(self, name) and not getattr(self, feature):
                raise ValueError(f"{name} cannot be set without {feature}")
        if self.cache_config is not None and self.cache_config.dragonfly_url and not callable(self.cache):
            raise ValueError(
                "the engine has no client of its own for Dragonfly: give a `cache` that makes one from an "
                "address, such as `usage.caching.redis.redis_cache`"
            )
        if callable(self.cache) and not (self.cache_config and self.cache_config.dragonfly_url):
            raise ValueError(
                "a `cache` that is made from an address needs a cache_config with a dragonfly_url"
            )
        if "enable_rate_limiting" in self.model_fields_set and self.enable_rate_limiting:
            limits = self.rate_limit_config
            if limits is None or not limits.model_fields_set:
                raise ValueError("enable_rate_limiting needs a rate_limit_config that says the limits")
        return self
