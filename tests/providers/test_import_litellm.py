"""`model_list` becomes providers, models and prices."""

from typing import Any

import pytest

from providers.configuration.names import Known, names_check
from providers.configuration.reading import configuration_read
from providers.litellm_import.files import configuration_files
from providers.litellm_import.findings import Fate
from providers.litellm_import.translate import translate
from tests.support.litellm_files import COMPANY, imported, reasons, with_params


@pytest.mark.parametrize(
    ("model", "address", "wire", "base_url", "upstream"),
    [
        ("openai/gpt-4o", "", "openai", "https://api.openai.com/v1", "gpt-4o"),
        ("gpt-4o-mini", "", "openai", "https://api.openai.com/v1", "gpt-4o-mini"),
        ("openai/m", "http://gpu:8000/v1/", "openai", "http://gpu:8000/v1", "m"),
        ("openai/m", "http://gpu:8000/v1/chat/completions", "openai", "http://gpu:8000/v1", "m"),
        ("anthropic/claude-x", "", "anthropic", "https://api.anthropic.com/v1", "claude-x"),
        ("claude-x", "https://proxy.example", "anthropic", "https://proxy.example/v1", "claude-x"),
        (
            "azure/dep",
            "https://eu.openai.azure.com/",
            "openai",
            "https://eu.openai.azure.com/openai/v1",
            "dep",
        ),
        (
            "azure/o_series/d",
            "https://eu.openai.azure.com",
            "openai",
            "https://eu.openai.azure.com/openai/v1",
            "d",
        ),
        ("groq/llama", "", "openai", "https://api.groq.com/openai/v1", "llama"),
        ("cerebras/llama", "", "openai", "https://api.cerebras.ai/v1", "llama"),
        ("perplexity/sonar", "", "openai", "https://api.perplexity.ai", "sonar"),
        ("ollama/llama3", "", "openai", "http://localhost:11434/v1", "llama3"),
        ("ollama_chat/llama3", "http://gpu:11434", "openai", "http://gpu:11434/v1", "llama3"),
        ("hosted_vllm/meta/l", "http://gpu:8000/v1", "openai", "http://gpu:8000/v1", "meta/l"),
        ("openrouter/a/b", "", "openai", "https://openrouter.ai/api/v1", "a/b"),
        ("openrouter/auto", "", "openai", "https://openrouter.ai/api/v1", "openrouter/auto"),
        ("gemini/gemini-2.5", "", "litellm", None, "gemini/gemini-2.5"),
        ("cohere_chat/command", "", "litellm", None, "cohere/command"),
        ("bedrock/converse/amazon.nova", "", "litellm", None, "bedrock/amazon.nova"),
    ],
)
def test_a_prefix_becomes_a_wire_an_address_and_a_name_there(
    model: str, address: str, wire: str, base_url: str | None, upstream: str
) -> None:
    result = with_params(model=model, **({"api_base": address} if address else {}))
    (provider,) = result.sections["providers"].values()
    (deployment,) = result.sections["models"]["m"]["deployments"]
    assert (provider["wire"], provider.get("base_url"), deployment["model"]) == (wire, base_url, upstream)
    assert result.of(Fate.LEFT) == []


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"model": "vertex_ai/gemini"}, "no wire here speaks vertex_ai"),
        ({"model": "sagemaker/x"}, "no wire here speaks sagemaker"),
        ({"model": "nobody-knows-this"}, "write the provider before its name"),
        ({"model": "hosted_vllm/x"}, "needs api_base"),
        ({"model": "azure/x"}, "needs api_base"),
        ({"model": "azure/x", "api_base": "https://elsewhere.example"}, "needs api_base"),
        ({"model": "openai/x", "api_base": "https://user:hunter2@host"}, "not an address"),
        ({"model": "openai/x", "api_base": "https://host/v1?key=hunter2"}, "not an address"),
        ({"model": "openai/x", "api_base": "os.environ/UNSET"}, "UNSET is not set"),
        ({"model": "openai/x", "api_key": "file:/etc/passwd"}, "begins like a reference"),
        ({"model": "openai/x", "api_key": "sk-\nhunter2"}, "no header can hold"),
        ({"model": "openai/*"}, "a star in the model"),
        ({"model": "openai/x", "mock_response": "hi"}, "mock_response"),
        ({"model": "openai/x", "litellm_credential_name": "gone"}, "credential_list"),
        ({"model": "bedrock/x", "aws_access_key_id": "os.environ/UNSET"}, "not whole"),
        ({}, "names no model"),
    ],
)
def test_what_cannot_be_taken_says_why_and_no_secret(params: dict[str, Any], why: str) -> None:
    result = with_params(**params)
    assert why in reasons(result, Fate.LEFT)["model_list[0]"]
    assert "hunter2" not in repr(result.findings)
    assert "models" not in result.sections


def test_keys_are_references_or_stored_and_never_shown() -> None:
    result = with_params(model="openai/m", api_key="sk-literal")
    assert "sk-literal" in result.text()
    assert "sk-literal" not in result.text_shown() + repr(result)
    assert "env:OPENAI_MAIN_SECRET" in result.text_shown()
    assert result.variables_needed() == {"OPENAI_MAIN_SECRET": "provider key openai/main"}
    assert "secret: 'env:NAME'" in with_params(model="openai/m", api_key="os.environ/NAME").text()
    assert "secret: 'env:GROQ_API_KEY'" in with_params(model="groq/m").text()


def test_a_host_elsewhere_gets_no_key_that_nobody_wrote() -> None:
    result = with_params(model="openai/m", api_base="http://gpu:8000/v1")
    assert "keys" not in result.sections["providers"]["openai-gpu"]
    assert any("given no key" in note for note in result.notes)
    assert any("prices_import --map openai-gpu=openai" in note for note in result.notes)


def test_variables_that_the_file_sets_are_used() -> None:
    result = imported("""
        model_list:
          - model_name: m
            litellm_params: {model: openai/m, api_base: os.environ/BASE, api_key: os.environ/KEY}
        environment_variables: {BASE: "http://gpu:8000/v1", KEY: sk-from-file, OTHER: hunter2}
    """)
    assert "base_url: http://gpu:8000/v1" in result.text()
    assert "sk-from-file" in result.text()
    assert list(reasons(result, Fate.LEFT)) == ["environment_variables.OTHER"]


def test_both_halves_of_an_access_key_are_one_secret() -> None:
    params = {"model": "bedrock/m", "aws_access_key_id": "AKIA", "aws_secret_access_key": "shh"}
    result = with_params(**params, aws_region_name="eu-central-1")
    assert "secret: 'AKIA:shh'" in result.text()
    assert result.sections["models"]["m"]["deployments"][0]["region"] == "eu-central-1"


def test_headers_go_along_unless_they_may_be_secrets() -> None:
    headers = {"X-Team": "search", "X-Auth-Token": "hunter2", "Host": "h", "X-Var": "os.environ/NAME"}
    result = with_params(model="openai/m", organization="org-1", extra_headers=headers)
    assert result.sections["providers"]["openai"]["headers"] == {
        "OpenAI-Organization": "org-1",
        "X-Team": "search",
    }
    assert len(result.of(Fate.LEFT)) == 3


def test_timeouts_become_waits_of_the_model() -> None:
    result = with_params(model="openai/m", timeout=900, stream_timeout=5)
    assert result.sections["models"]["m"]["timeout"] == {"first_byte": 900, "idle": 5, "total": 900}
    assert "timeout" not in result.sections["providers"]["openai"]


def test_timeouts_that_differ_within_a_model_are_the_providers() -> None:
    text = pool("model: openai/m, timeout: 5", 'model: openai/m, api_base: "http://b:1/v1"')
    result = imported(text + "router_settings: {timeout: 30}\nlitellm_settings: {request_timeout: 60}\n")
    waits = {name: provider["timeout"] for name, provider in result.sections["providers"].items()}
    assert waits == {"openai": {"first_byte": 5}, "openai-b": {"first_byte": 30}}
    assert "timeout" not in result.sections["models"]["m"]
    assert list(reasons(result, Fate.LEFT)) == ["litellm_settings.request_timeout"]


def pool(*params: str) -> str:
    entries = "".join(f"\n  - {{model_name: m, litellm_params: {{{one}}}}}" for one in params)
    return f"model_list:{entries}\n"


def test_secrets_for_the_same_deployments_are_keys_of_one_provider() -> None:
    result = imported(pool(*(f"model: openai/m, api_key: os.environ/K{n}, rpm: {n}0" for n in (1, 2))))
    (provider,) = result.sections["providers"].values()
    assert [(key["name"], key["rpm"]) for key in provider["keys"]] == [("main", 10), ("key-2", 20)]
    assert len(result.sections["models"]["m"]["deployments"]) == 1


def test_a_secret_for_other_models_is_another_provider() -> None:
    result = imported("""
        model_list:
          - {model_name: one, litellm_params: {model: openai/one, api_key: os.environ/K1}}
          - {model_name: two, litellm_params: {model: openai/two, api_key: os.environ/K2}}
          - {model_name: too, litellm_params: {model: openai/too, api_key: os.environ/K1}}
    """)
    assert {
        name: provider["keys"][0]["secret"].variable
        for name, provider in result.sections["providers"].items()
    } == {
        "openai": "K1",
        "openai-2": "K2",
    }
    assert result.sections["models"]["too"]["deployments"][0]["provider"] == "openai"


def test_a_limit_of_several_models_is_their_sum_or_none() -> None:
    both = """
        model_list:
          - {model_name: one, litellm_params: {model: openai/one, rpm: 10, tpm: 5}}
          - {model_name: two, litellm_params: {model: openai/two, rpm: 20}}
    """
    result = imported(both)
    (key,) = result.sections["providers"]["openai"]["keys"]
    assert (key["rpm"], key.get("tpm")) == (30, None)
    assert "model_list[0].litellm_params.tpm" in reasons(result, Fate.LEFT)
    assert "model_list[0].litellm_params.rpm" in reasons(result, Fate.CHANGED)


@pytest.mark.parametrize(
    ("params", "weights"),
    [
        (("weight: 2", "weight: 1"), [2, 1]),
        (("weight: 0.7", "weight: 0.3"), [7, 3]),
        (("weight: 1", ""), [1, 0]),
        (("rpm: 900", "rpm: 100"), [9, 1]),
        (("tpm: 50", "tpm: 100"), [1, 2]),
        (("", ""), [1, 1]),
        (("weight: 5, order: 1", "weight: 1, order: 2"), [1, 1]),
    ],
)
def test_weights_are_shares_within_an_order(params: tuple[str, str], weights: list[int]) -> None:
    hosts = ("http://a:1/v1", "http://b:1/v1")
    text = pool(
        *(f'model: openai/m, api_base: "{host}", {told}' for host, told in zip(hosts, params, strict=True))
    )
    deployments = imported(text).sections["models"]["m"]["deployments"]
    assert [one["weight"] for one in deployments] == weights


def test_orders_and_places_are_kept() -> None:
    text = pool(
        'model: openai/m, api_base: "http://a:1/v1", order: 1',
        "model: openai/m, order: 2, max_parallel_requests: 5",
    )
    first, second = imported(text).sections["models"]["m"]["deployments"]
    assert (first["priority"], second["priority"], second["max_parallel"]) == (1, 2, 5)


def test_costs_become_prices_per_million() -> None:
    result = imported("""
        model_list:
          - model_name: m
            litellm_params: {model: openai/m, input_cost_per_token: 2.5e-6, output_cost_per_token: 0.00001}
            model_info:
              input_cost_per_token_above_200k_tokens: 0.000005
              input_cost_per_token: 1
              cost_of_air: 3
    """)
    base, tier = result.sections["prices"]
    assert (base["input"], base["output"], tier["input"]) == (2.5, 10, 5)
    assert tier["when"] == {"context_above": 200_000}
    assert list(reasons(result, Fate.LEFT)) == [
        "model_list[0].model_info.input_cost_per_token",
        "model_list[0].model_info.cost_of_air",
    ]


def test_two_prices_for_one_thing_are_not_both_taken() -> None:
    text = pool("model: openai/m, input_cost_per_token: 0.1", "model: openai/m, input_cost_per_token: 0.2")
    result = imported(text)
    assert len(result.sections["prices"]) == 1
    assert "model_list[1].litellm_params.input_cost_per_token" in reasons(result, Fate.LEFT)


def test_what_is_known_of_a_model_is_taken() -> None:
    result = imported("""
        model_list:
          - model_name: m
            litellm_params: {model: openai/m}
            model_info: {mode: embedding, max_input_tokens: 819, max_output_tokens: 10, supports_vision: true}
          - model_name: m
            litellm_params: {model: openai/m, api_base: "http://b:1/v1"}
            model_info: {mode: embedding, max_input_tokens: 9000}
          - model_name: m
            litellm_params: {model: openai/m, api_base: "http://c:1/v1"}
            model_info: {mode: chat}
          - {model_name: t, litellm_params: {model: openai/t}, model_info: {team_id: t1}}
          - {model_name: v, litellm_params: {model: openai/v}, model_info: {mode: video_generation}}
    """)
    model = result.sections["models"]["m"]
    assert (model["kind"], model["context_window"], model["max_output_tokens"]) == ("embedding", 9000, 10)
    assert model["capabilities"] == ["vision"]
    assert set(reasons(result, Fate.LEFT)) == {"model_list[2]", "model_list[3]", "model_list[4]"}
    assert list(result.sections["models"]) == ["m"]


def test_a_real_companys_file_reads_as_one_of_ours() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "shh"}
    result = translate(configuration_files(COMPANY), environ=environ)
    assert list(names_check(configuration_read(result.text()), Known())) == []
    assert list(result.sections["providers"]) == [
        "azure-acme-eu",
        "azure-acme-us",
        "openai",
        "openai-2",
        "anthropic",
        "groq",
        "gemini",
        "bedrock",
        "ollama-gpu-1",
        "hosted_vllm-gpu-2",
        "mistral",
    ]
    assert {one.path for one in result.of(Fate.LEFT)} >= {
        "model_list[8]",
        "router_settings.model_group_alias.gone",
    }
    assert "hunter2" not in repr(result.findings) + result.text()
