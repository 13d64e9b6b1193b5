"""One file a provider's format; found by the prefix of a deployment's model."""

from collections.abc import Mapping

from gateway.catalog import Deployment
from gateway.errors import Untranslatable
from gateway.translation.tongue import Tongue
from gateway.translation.tongues.anthropic import AnthropicTongue
from gateway.translation.tongues.bedrock import BedrockTongue
from gateway.translation.tongues.cohere import CohereTongue
from gateway.translation.tongues.gemini import GeminiTongue
from gateway.translation.tongues.ollama import OllamaTongue

TONGUES: Mapping[str, type[Tongue]] = {
    "anthropic": AnthropicTongue,
    "bedrock": BedrockTongue,
    "cohere": CohereTongue,
    "cohere_chat": CohereTongue,
    "gemini": GeminiTongue,
    "ollama": OllamaTongue,
    "ollama_chat": OllamaTongue,
}


def named(deployment: Deployment) -> tuple[str, str]:
    """Which format a deployment has, and its model's name there."""
    if deployment.provider.wire == "anthropic":
        return "anthropic", deployment.upstream
    prefix, _, model = deployment.upstream.partition("/")
    return prefix, model


def tongue_for(deployment: Deployment) -> Tongue:
    """The tongue of one attempt."""
    prefix, model = named(deployment)
    if prefix not in TONGUES or not model:
        raise Untranslatable(
            "This deployment's model must begin with the format of its provider: "
            + ", ".join(f"`{one}/`" for one in TONGUES),
            param="model",
        )
    return TONGUES[prefix](model=model, deployment=deployment)
