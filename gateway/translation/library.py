"""The only place that imports litellm: on first need, off the loop, all but its translators switched off.

Importing it takes seconds and some 200 MB. What it would send, fetch, log or count by itself is barred here:
a translation that would need the network is refused instead.
"""

import asyncio
import contextvars
import logging
import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from threading import Lock
from typing import Any, NoReturn, TypeVar

_QUIET = {
    "LITELLM_MODE": "PRODUCTION",  # no `.env` file is read
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOG": "CRITICAL",
}
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_CLIENTS = ("HTTPHandler", "AsyncHTTPHandler")
_REQUESTS = ("get", "post", "put", "patch", "delete", "single_connection_post_request")
_LARGE = 64 * 1024

_importing = Lock()
_Answer = TypeVar("_Answer")


class NetworkBarred(Exception):
    """A translation wanted to fetch something."""


_parts: dict[str, Any] = {}
"""Of this process, as an imported module is."""


def is_loaded() -> bool:
    """Whether a translation can begin at once."""
    return bool(_parts)


def load() -> None:
    """Import litellm, silenced; for a thread."""
    with _importing:
        if _parts:
            return
        os.environ.update(_QUIET)
        import litellm

        litellm.suppress_debug_info = True
        litellm.turn_off_message_logging = True
        litellm.telemetry = False
        litellm.drop_params = False
        for name in _LOGGERS:
            logging.getLogger(name).disabled = True
        _bar_network()
        parts = {name: _found(name, place) for name, place in _PLACES.items()}
        for name, said in _FIRST_WORDS.items():
            parts[name](choices=[{"index": 0, said: {"role": "assistant", "content": ""}}]).model_dump()
        _parts.update(parts)


def _found(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(f"litellm.{module}"), attribute or name)


def _bar_network() -> None:
    handlers = import_module("litellm.llms.custom_httpx.http_handler")
    for client in _CLIENTS:
        for request in _REQUESTS:
            if hasattr(getattr(handlers, client), request):
                setattr(getattr(handlers, client), request, _refuse)
    addresses: Any = import_module("litellm.litellm_core_utils.url_utils")
    addresses.validate_url = _refuse  # it looks names up


def _refuse(*_: object, **__: object) -> NoReturn:
    raise NetworkBarred


_PLACES = {
    "AnthropicConfig": "llms.anthropic.chat.transformation",
    "AnthropicStream": "llms.anthropic.chat.handler:ModelResponseIterator",
    "filter_betas": "anthropic_beta_headers_manager:update_request_with_filtered_beta",
    "GeminiConfig": "llms.gemini.chat.transformation:GoogleAIStudioGeminiConfig",
    "GeminiStream": "llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini:ModelResponseIterator",
    "gemini_body": "llms.vertex_ai.gemini.transformation:transform_request_body",
    "ConverseConfig": "llms.bedrock.chat.converse_transformation:AmazonConverseConfig",
    "ConverseStream": "llms.bedrock.chat.invoke_handler:AWSEventStreamDecoder",
    "BaseAWSLLM": "llms.bedrock.base_aws_llm",
    "TitanConfig": "llms.bedrock.embed.amazon_titan_v2_transformation:AmazonTitanV2Config",
    "CohereConfig": "llms.cohere.chat.v2_transformation:CohereV2ChatConfig",
    "CohereEmbedding": "llms.cohere.embed.transformation:CohereEmbeddingConfig",
    "OllamaConfig": "llms.ollama.chat.transformation:OllamaChatConfig",
    "OllamaStream": "llms.ollama.chat.transformation:OllamaChatCompletionResponseIterator",
    "MessagesAdapter": "llms.anthropic.pass_through.adapters.transformation:AnthropicAdapter",
    "MessagesStream": "llms.anthropic.pass_through.adapters.streaming_iterator:AnthropicStreamWrapper",
    "ModelResponse": "types.utils",
    "ModelResponseStream": "types.utils",
    "Message": "types.utils",
    "map_finish_reason": "litellm_core_utils.core_helpers",
    "BaseLLMException": "llms.base_llm.chat.transformation",
    "UnsupportedParamsError": "exceptions",
    "ContextWindowExceededError": "exceptions",
    "ContentPolicyViolationError": "exceptions",
}
"""All that is used of litellm: our name for it, its module, and its own name where that is another."""


def part(name: str) -> Any:
    """One of litellm's translators; it must be loaded."""
    return _parts[name]


_FIRST_WORDS = {"ModelResponse": "message", "ModelResponseStream": "delta"}
"""pydantic builds these when they are first used, which takes a while too."""


def is_large(body: bytes) -> bool:
    """Whether turning it over would hold up other calls."""
    return len(body) > _LARGE


async def off_loop(work: Callable[..., _Answer], *arguments: Any) -> _Answer:
    """Do it in a thread, with litellm at hand."""
    context = contextvars.copy_context()
    task = partial(context.run, _loaded, work, *arguments)
    return await asyncio.get_running_loop().run_in_executor(None, task)


def _loaded(work: Callable[..., _Answer], *arguments: Any) -> _Answer:
    load()
    return work(*arguments)


class Silence:
    """Where litellm's translators report to: it keeps nothing."""

    def __init__(self, optional_params: dict[str, Any]) -> None:
        self.optional_params = optional_params
        self.model_call_details: dict[str, Any] = {}

    def post_call(self, *_: object, **__: object) -> None:
        """Nobody listens."""
