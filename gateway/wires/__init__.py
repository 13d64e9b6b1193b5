"""One pure file a provider's wire format, found here by the name in a provider's row."""

from collections.abc import Mapping
from types import ModuleType
from typing import Protocol, cast

from gateway.call import Ask, Event, Reply, Usage
from gateway.catalog import Deployment, Provider
from gateway.errors import ProviderError
from gateway.exchange import Request
from gateway.wires import anthropic, openai, responses
from gateway.wires.litellm import Translation, translation_for

__all__ = ["WIRES", "StreamReader", "Translation", "Wire", "wire_for"]


class StreamReader(Protocol):
    """Follows one streamed answer."""

    meaningful: bool
    """Something came that commits the answer."""
    finished: bool
    """The end marker came: without it a stream was cut."""
    failure: ProviderError | None
    """What the provider said went wrong, behind the events that came before it."""
    usage: Usage | None
    service_tier: str
    tail: bytes
    """The end marker, kept back until the ledger has the call."""
    delivered: list[str]
    """The texts that went through, to count if the provider does not."""

    def feed(self, chunk: bytes) -> Event | None:
        """What of a chunk goes on to the caller."""


class Wire(Protocol):
    """What each wire's file provides."""

    FORMAT: str
    PATHS: Mapping[str, str]
    """Where each task is asked for, below the provider's address; no other is understood."""

    def build_request(self, ask: Ask, deployment: Deployment) -> Request:
        """The provider's request."""

    def read_reply(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """A whole answer."""

    def read_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """An answer that is an error."""

    def open_stream(self, ask: Ask) -> StreamReader:
        """A reader for a streamed answer."""


def _wire(module: ModuleType) -> Wire:
    return cast(Wire, module)


def wire_for(ask: Ask, provider: Provider) -> Wire | None:
    """The wire that takes an ask to a provider; None where the provider does nothing of the kind."""
    wire = WIRES.get(provider.wire)
    if ask.operation == "response" and wire is not None and not provider.has_responses:
        wire = _RESPONSES if wire is WIRES["openai"] else None
    if wire is not None and ask.format == wire.FORMAT and ask.task in wire.PATHS:
        return wire
    return translation_for(ask, provider, WIRES)


WIRES: Mapping[str, Wire] = {"openai": _wire(openai), "anthropic": _wire(anthropic), "echo": _wire(openai)}
"""The echo provider speaks OpenAI's format; only its transport is another."""

_RESPONSES = _wire(responses)
"""For hosts of OpenAI's format that have chats and no responses."""
