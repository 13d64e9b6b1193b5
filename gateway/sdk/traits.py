"""How a configuration has its models called: in which order, and with how many texts at once."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from gateway.catalog import Model, Strategy
from gateway.sdk.config import Costs, GatewayConfig, ModelEntry

BATCH_SIZE = 32
BATCH_SECONDS = 0.01
UNRATED = 0.5
"""The quality of a deployment that nobody has rated, among others that somebody may have."""

_LITELLM: Mapping[str, Strategy] = {
    "simple-shuffle": "weighted",
    "least-busy": "least_busy",
    "latency-based-routing": "latency",
    "cost-based-routing": "price",
}
_METERS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
}


def with_traits(model: Model, config: GatewayConfig) -> Model:
    """A model as the configuration has all of them called."""
    told: dict[str, Any] = {"strategy": strategy_of(config)}
    if config.enable_request_batching:
        told["batch_size"] = config.batch_size or BATCH_SIZE
        told["batch_seconds"] = config.batch_timeout or BATCH_SECONDS
    if config.enable_feedback_loop:
        told["deployments"] = tuple(replace(one, quality=UNRATED) for one in model.deployments)
    return replace(model, **told)


def strategy_of(config: GatewayConfig) -> Strategy:
    """The one that is told, else what the features call for: ratings order, and beginnings keep together."""
    told = config.routing_strategy
    if told is not None:
        return _LITELLM.get(told) or told  # type: ignore[return-value]  # what is not LiteLLM's is ours
    if config.enable_feedback_loop:
        return "quality"
    return "affinity" if config.enable_kv_cache else "weighted"


def costs_of(told: Costs) -> dict[str, Decimal]:
    """Dollars a token, by our meters."""
    listed = {meter: getattr(told, field) for field, meter in _METERS.items()}
    return {meter: cost for meter, cost in listed.items() if cost is not None}


def kind_of(entry: ModelEntry | None, upstream: str) -> str:
    """What a model is for: what its entry says, else what its name tells."""
    told = entry.model_info.mode if entry is not None else ""
    return told or ("embedding" if "embed" in upstream.lower() else "chat")
