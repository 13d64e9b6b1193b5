"""The hosts that a model's name may begin with: where they are, and which variable holds their key."""

from collections.abc import Mapping

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.patterns import matches


class InvalidConfiguration(GatewayError):
    """The gateway's configuration cannot be right."""

    code = "invalid_configuration"
    status = 400


class Host(Struct, frozen=True, kw_only=True):
    """A host. One without variables needs no key, one without an address is named with each model."""

    name: str
    wire: str = "openai"
    base_url: str = ""
    variables: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Models that are known to be its own, where no host is named."""
    adds_version: bool = False
    """Its address is often given without the `/v1` that it answers below."""
    chat: str = ""
    embedding: str = ""
    """What answers who names no model."""


_ALL = (
    Host(
        name="openai",
        base_url="https://api.openai.com/v1",
        variables=("OPENAI_API_KEY",),
        names=("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "text-embedding-*"),
        chat="gpt-4o-mini",
        embedding="text-embedding-3-small",
    ),
    Host(
        name="anthropic",
        wire="anthropic",
        base_url="https://api.anthropic.com/v1",
        variables=("ANTHROPIC_API_KEY",),
        adds_version=True,
        names=("claude-*",),
        chat="claude-sonnet-4-5",
    ),
    Host(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        names=("gemini-*",),
        chat="gemini-2.5-flash",
        embedding="gemini-embedding-001",
    ),
    Host(
        name="cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        variables=("COHERE_API_KEY",),
        names=("command-*", "embed-*"),
        chat="command-r-plus",
        embedding="embed-v4.0",
    ),
    Host(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        variables=("MISTRAL_API_KEY",),
        names=("mistral-*", "codestral-*"),
        chat="mistral-small-latest",
        embedding="mistral-embed",
    ),
    Host(
        name="deepseek",
        base_url="https://api.deepseek.com/v1",
        variables=("DEEPSEEK_API_KEY",),
        names=("deepseek-*",),
        chat="deepseek-chat",
    ),
    Host(name="xai", base_url="https://api.x.ai/v1", variables=("XAI_API_KEY",), names=("grok-*",)),
    Host(name="groq", base_url="https://api.groq.com/openai/v1", variables=("GROQ_API_KEY",)),
    Host(name="openrouter", base_url="https://openrouter.ai/api/v1", variables=("OPENROUTER_API_KEY",)),
    Host(
        name="together_ai",
        base_url="https://api.together.xyz/v1",
        variables=("TOGETHERAI_API_KEY", "TOGETHER_API_KEY"),
    ),
    Host(
        name="fireworks_ai",
        base_url="https://api.fireworks.ai/inference/v1",
        variables=("FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY"),
    ),
    Host(name="ollama", base_url="http://localhost:11434/v1", adds_version=True),
    Host(name="hosted_vllm"),
    Host(name="lm_studio"),
    Host(name="echo", wire="echo", base_url="http://echo.invalid/v1"),
)
HOSTS: Mapping[str, Host] = {host.name: host for host in _ALL}
_ALSO: Mapping[str, str] = {"google": "gemini", "ollama_chat": "ollama"}
_ANY = Host(name="custom")


def find_host(name: str) -> Host | None:
    """The host of a name."""
    return HOSTS.get(_ALSO.get(name, name))


def host_of(model: str, *, named: str = "", address: str = "") -> tuple[Host, str]:
    """Who serves a model, and its name there."""
    first, slash, rest = model.partition("/")
    if named:
        host = find_host(named) or (Host(name=named) if address else None)
        if host is not None:
            return host, rest if slash and first == named else model
    elif slash and (host := find_host(first)) is not None:
        return host, rest
    elif address:
        return _ANY, model
    else:
        for host in _ALL:
            if any(matches(pattern, model) for pattern in host.names):
                return host, model
    raise InvalidConfiguration(
        f"Nobody knows who serves '{model[:200]}': write 'openai/…', or give api_base."
    )
