"""What a configuration may say: defaults, hosts and keys, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

import gateway
from gateway import CircuitBreakerConfig, GatewayConfig, LiteLLMGateway, RateLimitConfig
from gateway.sdk.hosts import InvalidConfiguration, host_of
from gateway.sdk.models import Models, timeouts_of


def models_of(environ: dict[str, str] | None = None, **fields: Any) -> Models:
    return Models(GatewayConfig(**fields), environ or {})


def deployment_of(models: Models, name: str) -> tuple[str, str, str, str | None]:
    (deployment,) = models.snapshot().resolve(name).deployments
    provider = deployment.provider
    secret = provider.secret.reveal() if provider.secret else None
    return provider.wire, provider.base_url, deployment.upstream, secret


def listed(model: str, name: str = "m", **params: Any) -> list[Any]:
    return [{"model_name": name, "litellm_params": {"model": model, **params}}]


def test_the_defaults_are_those_of_the_document() -> None:
    assert GatewayConfig().model_dump() == {
        "model_list": [],
        "fallbacks": [],
        "timeout": 60.0,
        "max_retries": 3,
        "retry_delay": 1.0,
        "enable_circuit_breaker": True,
        "enable_rate_limiting": True,
        "enable_request_deduplication": False,
        "enable_request_batching": False,
        "enable_health_monitoring": True,
        "enable_llmops": True,
        "enable_validation": False,
        "enable_feedback_loop": False,
        "enable_caching": False,
        "enable_kv_cache": False,
        "cache_ttl": 3600,
        "kv_cache_ttl": 3600,
        "cache": None,
        "cache_config": None,
        "rate_limit_config": None,
        "circuit_breaker_config": None,
        "vault": None,
        "validation_level": None,
        "validation_repair": True,
        "forbidden_words": [],
        "routing_strategy": None,
        "batch_size": None,
        "batch_timeout": None,
        "api_keys": {},
        "prices": {},
        "default_model": "",
        "default_embedding_model": "",
    }
    assert set(RateLimitConfig().model_dump().values()) == {None}
    assert CircuitBreakerConfig().model_dump() == {"failure_threshold": 5, "recovery_timeout": 60.0}


@pytest.mark.parametrize(
    ("field", "feature"),
    [
        ({"batch_size": 8}, "enable_request_batching"),
        ({"batch_timeout": 0.1}, "enable_request_batching"),
        ({"validation_level": "strict"}, "enable_validation"),
        ({"forbidden_words": ["secret"]}, "enable_validation"),
    ],
)
def test_what_belongs_to_a_feature_needs_it(field: dict[str, Any], feature: str) -> None:
    (name,) = field
    with pytest.raises(ValidationError, match=f"{name} cannot be set without {feature}"):
        GatewayConfig(**field)
    told: dict[str, Any] = {feature: True, **field}
    assert getattr(GatewayConfig(**told), name) == field[name]


@pytest.mark.parametrize(
    ("fields", "strategy"),
    [
        ({}, "weighted"),
        ({"enable_kv_cache": True}, "affinity"),
        ({"enable_feedback_loop": True}, "quality"),
        ({"enable_feedback_loop": True, "enable_kv_cache": True}, "quality"),
        ({"enable_kv_cache": True, "routing_strategy": "price"}, "price"),
        ({"routing_strategy": "simple-shuffle"}, "weighted"),
        ({"routing_strategy": "least-busy"}, "least_busy"),
        ({"routing_strategy": "latency-based-routing"}, "latency"),
        ({"routing_strategy": "cost-based-routing"}, "price"),
    ],
)
def test_models_are_called_in_the_order_that_is_told(fields: dict[str, Any], strategy: str) -> None:
    assert models_of(model_list=listed("echo/m"), **fields).snapshot().resolve("m").strategy == strategy


@pytest.mark.parametrize(
    "field",
    [
        {"timeout": 0},
        {"routing_strategy": "usage-based-routing"},
        {"enable_validation": True, "validation_level": "lenient"},
        {"enable_validation": True, "forbidden_words": [""]},
        {"timeout": float("inf")},
        {"max_retries": 0},
        {"retry_delay": -1},
        {"max_tries": 3},
        {"enable_rate_limiting": True},
        {"enable_rate_limiting": True, "rate_limit_config": {}},
        {"rate_limit_config": {"requests_per_minute": 0}},
        {"model_list": listed("openai/gpt-4", rpm=5)},
        {"prices": {"gpt-4": {"input": -1}}},
        {"prices": {"gpt-4": {"words": 1}}},
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatewayConfig(**field)


def test_no_key_is_shown() -> None:
    told: dict[str, Any] = {"api_keys": {"xai": "sk-secret"}}
    config = GatewayConfig(model_list=listed("openai/gpt-4", api_key="sk-secret"), **told)
    assert "sk-secret" not in f"{config!r} {config.model_dump()}"
    with pytest.raises(ValidationError) as caught:
        GatewayConfig(model_list=listed("openai/gpt-4", api_kye="sk-secret"))
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "address", "host", "upstream"),
    [
        ("openai/gpt-4", "", "openai", "gpt-4"),
        ("gpt-4", "", "openai", "gpt-4"),
        ("anthropic/claude-3-opus", "", "anthropic", "claude-3-opus"),
        ("claude-3-opus", "", "anthropic", "claude-3-opus"),
        ("google/gemini-2.5-flash", "", "gemini", "gemini-2.5-flash"),
        ("openrouter/anthropic/claude-3", "", "openrouter", "anthropic/claude-3"),
        ("openai/meta-llama/Llama-3", "http://h/v1", "openai", "meta-llama/Llama-3"),
        ("meta-llama/Llama-3", "http://h/v1", "custom", "meta-llama/Llama-3"),
        ("my-model", "http://h/v1", "custom", "my-model"),
    ],
)
def test_a_models_name_says_its_host(model: str, address: str, host: str, upstream: str) -> None:
    found, name = host_of(model, address=address)
    assert (found.name, name) == (host, upstream)


@pytest.mark.parametrize(
    "fields",
    [
        {"model_list": listed("nobody/knows")},
        {"model_list": listed("my-model")},
        {"model_list": listed("hosted_vllm/m")},
        {"model_list": listed("echo/m"), "fallbacks": [{"other": ["m"]}]},
    ],
    ids=["unknown host", "no host", "no address", "unknown model"],
)
def test_models_that_nobody_serves_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration):
        models_of(**fields)


def test_a_key_is_taken_from_the_nearest_place() -> None:
    environ = {"OPENAI_API_KEY": "sk-environment", "MINE": "sk-mine"}
    own = models_of(
        environ, model_list=listed("openai/gpt-4", api_key="sk-own"), api_keys={"openai": "sk-told"}
    )
    named = models_of(environ, model_list=listed("openai/gpt-4", api_key="os.environ/MINE"))
    told = models_of(environ, model_list=listed("openai/gpt-4"), api_keys={"openai": "sk-told"})
    left = models_of(environ, model_list=listed("openai/gpt-4"))
    keys = [deployment_of(models, "m")[3] for models in (own, named, told, left)]
    assert keys == ["sk-own", "sk-mine", "sk-told", "sk-environment"]


def test_a_variable_that_a_key_names_and_that_is_not_there_is_missing() -> None:
    models = models_of({"OPENAI_API_KEY": "sk"}, model_list=listed("openai/gpt-4", api_key="os.environ/GONE"))
    assert list(models.keyless) == ["m"]


def test_keys_may_be_given_to_the_gateway_itself() -> None:
    made = LiteLLMGateway(api_keys={"openai": "sk-told"})
    assert deployment_of(made.router, "gpt-4") == ("openai", "https://api.openai.com/v1", "gpt-4", "sk-told")


def test_without_a_list_every_host_with_a_key_answers() -> None:
    models = models_of({"ANTHROPIC_API_KEY": "sk-a", "GOOGLE_API_KEY": "sk-g"})
    anthropic = ("anthropic", "https://api.anthropic.com/v1", "claude-3-opus", "sk-a")
    assert deployment_of(models, "claude-3-opus") == anthropic
    assert deployment_of(models, "anthropic/claude-3-opus") == anthropic
    assert deployment_of(models, "gemini-2.5-flash")[3] == "sk-g"
    assert models.snapshot().find("gpt-4") is None
    assert models.snapshot().defaults["chat"].startswith("anthropic/")
    assert models.snapshot().defaults["embedding"].startswith("gemini/")


@pytest.mark.parametrize("address", ["http://machine:11434", "http://machine:11434/v1/"])
def test_ollama_is_asked_below_its_version(address: str) -> None:
    by_variable = models_of({"OLLAMA_API_BASE": address})
    by_entry = models_of(model_list=listed("ollama/gemma3", "ollama/gemma3", api_base=address))
    for models in (by_variable, by_entry):
        assert deployment_of(models, "ollama/gemma3")[1] == "http://machine:11434/v1"


def test_an_attempt_begins_within_its_timeout_in_all() -> None:
    for seconds in (0.4, 60.0):
        timeouts = timeouts_of(seconds, 3)
        assert timeouts.connect + timeouts.first_byte == pytest.approx(seconds)


def test_the_package_names_what_it_has() -> None:
    assert {name for name in gateway.__all__ if getattr(gateway, name) is not None} == set(gateway.__all__)
    with pytest.raises(AttributeError):
        gateway.nothing  # noqa: B018 - asking is the point
