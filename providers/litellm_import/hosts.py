"""Where LiteLLM's providers are: their prefixes as wires and addresses of ours."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from msgspec import Struct

from gateway.patterns import matches
from gateway.sdk.hosts import HOSTS as KNOWN
from gateway.sdk.hosts import Host
from providers.litellm_import.findings import Untaken
from providers.validators import base_url_validate

_MORE = (
    Host(name="gemini", wire="litellm", variables=("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    Host(name="cohere", wire="litellm", variables=("COHERE_API_KEY",)),
    Host(name="bedrock", wire="litellm", variables=("AWS_BEARER_TOKEN_BEDROCK",)),
    Host(name="azure", variables=("AZURE_API_KEY",)),
    Host(name="cerebras", base_url="https://api.cerebras.ai/v1", variables=("CEREBRAS_API_KEY",)),
    Host(name="codestral", base_url="https://codestral.mistral.ai/v1", variables=("CODESTRAL_API_KEY",)),
    Host(
        name="dashscope",
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        variables=("DASHSCOPE_API_KEY",),
    ),
    Host(name="deepinfra", base_url="https://api.deepinfra.com/v1/openai", variables=("DEEPINFRA_API_KEY",)),
    Host(
        name="featherless_ai", base_url="https://api.featherless.ai/v1", variables=("FEATHERLESS_AI_API_KEY",)
    ),
    Host(
        name="friendliai", base_url="https://api.friendli.ai/serverless/v1", variables=("FRIENDLIAI_API_KEY",)
    ),
    Host(name="hyperbolic", base_url="https://api.hyperbolic.xyz/v1", variables=("HYPERBOLIC_API_KEY",)),
    Host(name="inception", base_url="https://api.inceptionlabs.ai/v1", variables=("INCEPTION_API_KEY",)),
    Host(name="lambda_ai", base_url="https://api.lambda.ai/v1", variables=("LAMBDA_API_KEY",)),
    Host(name="meta_llama", base_url="https://api.llama.com/compat/v1", variables=("LLAMA_API_KEY",)),
    Host(name="minimax", base_url="https://api.minimax.io/v1", variables=("MINIMAX_API_KEY",)),
    Host(name="moonshot", base_url="https://api.moonshot.ai/v1", variables=("MOONSHOT_API_KEY",)),
    Host(name="morph", base_url="https://api.morphllm.com/v1", variables=("MORPH_API_KEY",)),
    Host(name="nebius", base_url="https://api.studio.nebius.ai/v1", variables=("NEBIUS_API_KEY",)),
    Host(name="novita", base_url="https://api.novita.ai/v3/openai", variables=("NOVITA_API_KEY",)),
    Host(name="nscale", base_url="https://inference.api.nscale.com/v1", variables=("NSCALE_API_KEY",)),
    Host(
        name="nvidia_nim", base_url="https://integrate.api.nvidia.com/v1", variables=("NVIDIA_NIM_API_KEY",)
    ),
    Host(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        variables=("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    ),
    Host(name="sambanova", base_url="https://api.sambanova.ai/v1", variables=("SAMBANOVA_API_KEY",)),
    Host(name="v0", base_url="https://api.v0.dev/v1", variables=("V0_API_KEY",)),
    Host(
        name="volcengine",
        base_url="https://ark.cn-beijing.volces.com/api/v3",
        variables=("VOLCENGINE_API_KEY",),
    ),
    Host(name="zai", base_url="https://api.z.ai/api/paas/v4", variables=("ZAI_API_KEY",)),
    *(
        Host(name=name)
        for name in ("custom_openai", "litellm_proxy", "llamafile", "openai_like", "vllm", "xinference")
    ),
)
HOSTS: Mapping[str, Host] = {**KNOWN, **{host.name: host for host in _MORE}}
_ALSO: Mapping[str, str] = {
    "cohere_chat": "cohere",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
}
_BARE = ("openai", "anthropic")
"""Whose models are known where nobody names their host."""

_ELSEWHERE = (
    "no wire here speaks {prefix}: name a host of OpenAI's format that runs the model, or keep LiteLLM Proxy "
    "for it and name that as a provider of wire openai"
)
_AZURE = re.compile(r"[a-z0-9-]+\.(?:openai\.azure|cognitiveservices\.azure|services\.ai\.azure)\.com")
_AZURE_SERIES = re.compile(r"(?:o_series|gpt5_series)/(.+)")
_BEDROCK = re.compile(r"(?:(?:converse|invoke)/)?(?:([a-z]{2}(?:-[a-z]+)+-\d)/)?([^/]+|arn:.+)")
_ENDINGS = ("/chat/completions", "/v1/messages", "/messages", "/chat")
"""What people append to addresses, though it is added to each call."""


class Target(Struct, frozen=True, kw_only=True):
    """Where a model runs, and its name there."""

    host: Host
    base_url: str
    upstream: str
    region: str = ""

    @property
    def is_usual(self) -> bool:
        """Whether the host is where it always is."""
        return self.base_url in ("", self.host.base_url)

    @property
    def label(self) -> str:
        """A readable name for the provider: the host's, and of which address."""
        if self.is_usual:
            return self.host.name
        name = urlsplit(self.base_url).hostname or ""
        first = name.replace(".", "-") if re.fullmatch(r"[\d.]+|.*:.*", name) else name.partition(".")[0]
        return f"{self.host.name}-{re.sub(r'[^a-z0-9-]+', '-', first).strip('-')}"[:50].rstrip("-")


def target_of(model: str, *, named: str, address: str) -> Target:
    """Who serves a model of LiteLLM's, and under which name there."""
    prefix, slash, rest = model.partition("/")
    if named and prefix != named:
        prefix, rest = named, model
    elif not slash:
        prefix, rest = _bare(model), model
    host = HOSTS.get(_ALSO.get(prefix, prefix))
    if host is None:
        raise Untaken(_ELSEWHERE.format(prefix=_shown(prefix)))
    if not rest or any(mark.isspace() for mark in rest) or rest.count("*") > 1 or len(rest) > 190:
        raise Untaken("the model's name at the provider is empty, too long, or has spaces or two stars")
    return _DIALLED.get(host.name, _plain)(host, rest, _checked(address))


def _plain(host: Host, model: str, address: str) -> Target:
    base_url = address or host.base_url
    if not base_url and host.wire == "openai":
        raise Untaken(f"a model of {host.name} needs api_base")
    if address and host.adds_version and not address.endswith("/v1"):
        base_url = f"{address}/v1"
    upstream = f"{host.name}/{model}" if host.wire == "litellm" else model
    return Target(host=host, base_url=base_url, upstream=upstream)


def _azure(host: Host, model: str, address: str) -> Target:
    """Azure's newer address speaks OpenAI's format, under a deployment's name, with its key as a bearer."""
    name = urlsplit(address).hostname or ""
    if not _AZURE.fullmatch(name):
        raise Untaken("a model of azure needs api_base with the address of its resource at Azure")
    series = _AZURE_SERIES.fullmatch(model)
    model = series[1] if series else model
    if "/" in model:
        raise Untaken("this is not the name of a deployment at Azure")
    return Target(host=host, base_url=f"https://{name}/openai/v1", upstream=model)


def _bedrock(host: Host, model: str, address: str) -> Target:
    found = _BEDROCK.fullmatch(model)
    if not found:
        raise Untaken("of Amazon Bedrock, only what Converse answers can be taken")
    return Target(host=host, base_url=address, upstream=f"bedrock/{found[2]}", region=found[1] or "")


def _openrouter(host: Host, model: str, address: str) -> Target:
    """OpenRouter's own names keep its prefix, those of others lose it."""
    model = model if "/" in model or "*" in model else f"{host.name}/{model}"
    return _plain(host, model, address)


_DIALLED = {"azure": _azure, "bedrock": _bedrock, "openrouter": _openrouter}


def _bare(model: str) -> str:
    for name in _BARE:
        if any(matches(pattern, model) for pattern in HOSTS[name].names):
            return name
    raise Untaken("nobody knows who serves this model: write the provider before its name, such as openai/…")


def _checked(address: str) -> str:
    """An address that calls can be made below; it is never quoted, since it may hold a password."""
    address = address.rstrip("/")
    for ending in _ENDINGS:
        address = address.removesuffix(ending)
    try:
        if address:
            base_url_validate(address)
            if "@" in address or len(address) > 450:
                raise ValidationError("It is no plain address.")
    except (ValidationError, ValueError):
        raise Untaken(
            "api_base is not an address: write http or https, a host and a path, and no password or query"
        ) from None
    return address


def _shown(prefix: str) -> str:
    return prefix[:40] if re.fullmatch(r"[\w.-]+", prefix) else "this provider"
