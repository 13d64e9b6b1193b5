"""Pydantic AI's agents work against the gateway in either format."""

from collections.abc import Sequence

from tests.clients.commands import apart
from tests.clients.contract import STATUSES, Embeddings, Schemas, Streams, Tools
from tests.clients.runs import ANTHROPIC

ERRORS = dict.fromkeys(STATUSES, "ModelHTTPError")


class TestOpenAIFormat(Streams, Tools, Schemas, Embeddings):
    errors = ERRORS

    @classmethod
    def command(cls) -> Sequence[str]:
        return apart("with_pydantic_ai", "openai")


class TestAnthropicFormat(Streams, Tools, Schemas):
    face = ANTHROPIC
    errors = ERRORS

    @classmethod
    def command(cls) -> Sequence[str]:
        return apart("with_pydantic_ai", "anthropic")
