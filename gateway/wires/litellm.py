"""The wire to providers whose format none of our own is: what is asked and answered is translated.

The HTTP exchange is the engine's own, as with any wire. One of these lives as long as one attempt.
"""

from collections.abc import Mapping
from typing import Protocol

from gateway.call import Ask, Reply
from gateway.catalog import Deployment, Provider, Snapshot
from gateway.errors import ProviderError
from gateway.exchange import Request
from gateway.translation.chat import ChatTranslation
from gateway.translation.embeddings import EmbeddingTranslation
from gateway.translation.library import is_large, is_loaded, load, off_loop
from gateway.translation.messages import MessagesTranslation
from gateway.translation.over import Reader, Under

_TRANSLATED = frozenset({"litellm", "anthropic"})
"""Wires of providers that OpenAI's format reaches by translation."""


class _Work(Under, Protocol):
    most_output: int | None


class Translation:
    """A wire like any other, but that its work may take a while: then it is done in a thread."""

    FORMAT = "openai"
    PATHS: Mapping[str, str] = {}

    def __init__(self, work: _Work, *, needs_litellm: bool = True) -> None:
        self._work = work
        self._needs_litellm = needs_litellm
        self._request: Request | None = None

    async def prepare(self, ask: Ask, deployment: Deployment, most_output: int | None) -> None:
        """Write the request, before anybody outside hears of the call."""
        self._work.most_output = most_output
        if self._needs_litellm and (not is_loaded() or is_large(ask.body)):
            self._request = await off_loop(self._work.build_request, ask, deployment)
        else:
            self._request = self._work.build_request(ask, deployment)

    def build_request(self, ask: Ask, deployment: Deployment) -> Request:
        """What was prepared."""
        return self._request or self._work.build_request(ask, deployment)

    async def read(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """A whole answer."""
        if self._needs_litellm and is_large(body):
            return await off_loop(self._work.read_reply, ask, headers, body)
        return self._work.read_reply(ask, headers, body)

    def read_reply(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """A whole answer that is small."""
        return self._work.read_reply(ask, headers, body)

    def read_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """An answer that is an error."""
        return self._work.read_failure(status, headers, body)

    def open_stream(self, ask: Ask) -> Reader:
        """A reader for a streamed answer; its pieces are small, and translated as they come."""
        return self._work.open_stream(ask)


def needs_litellm(snapshot: Snapshot) -> bool:
    """Whether there is a chat that litellm alone reaches: then it is imported before the first call."""
    return any(
        deployment.provider.wire == "litellm"
        for model in snapshot.models.values()
        for deployment in model.deployments
        if model.kind == "chat"
    )


async def fetch_litellm() -> None:
    """Import it, while other things go on."""
    await off_loop(load)


def translation_for(ask: Ask, provider: Provider, natives: Mapping[str, Under]) -> Translation | None:
    """The translation that takes an ask to a provider, over the wires of ours; None where there is none."""
    translated = provider.wire in _TRANSLATED
    if ask.format == "anthropic" and ask.task == "message":
        under = ChatTranslation(natives) if translated else natives.get(provider.wire)
        return None if under is None else Translation(MessagesTranslation(under))
    if ask.format != "openai" or not translated:
        return None
    if ask.task == "chat":
        return Translation(ChatTranslation(natives))
    if ask.task == "embedding" and provider.wire == "litellm":
        return Translation(EmbeddingTranslation(), needs_litellm=False)
    return None
