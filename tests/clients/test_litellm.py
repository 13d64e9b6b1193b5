"""litellm works against the gateway as a client of either format."""

from collections.abc import Sequence

from tests.clients.commands import beside
from tests.clients.contract import OWN_ERRORS, Embeddings, Schemas, Streams, Tools
from tests.clients.runs import ANTHROPIC

ERRORS = {**OWN_ERRORS, "too_long": "ContextWindowExceededError", "broken": "BadGatewayError"}


class TestOpenAIFormat(Streams, Tools, Schemas, Embeddings):
    errors = ERRORS

    @classmethod
    def command(cls) -> Sequence[str]:
        return beside("with_litellm", "openai")


class TestAnthropicFormat(Streams, Tools, Schemas):
    face = ANTHROPIC
    errors = ERRORS
    pause = 0.0  # in this format it tries again at once, whatever it is told

    @classmethod
    def command(cls) -> Sequence[str]:
        return beside("with_litellm", "anthropic")
