"""LangChain works against the gateway as against OpenAI."""

from collections.abc import Sequence

from tests.clients.commands import apart
from tests.clients.contract import Embeddings, Schemas, Streams, Tools


class TestLangChain(Streams, Tools, Schemas, Embeddings):
    errors = {
        "stranger": "OpenAIAuthenticationError",
        "poor": "OpenAIRateLimitError",
        "unknown": "OpenAIModelNotFoundError",
        "too_long": "OpenAIContextOverflowError",
        "broken": "OpenAIAPIError",
    }

    @classmethod
    def command(cls) -> Sequence[str]:
        return apart("with_langchain")
