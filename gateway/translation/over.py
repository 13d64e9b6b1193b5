"""What a translation stands upon: a wire that takes OpenAI's format to a provider."""

from collections.abc import Mapping
from typing import Protocol

from gateway.call import Ask, Event, Reply, Usage
from gateway.catalog import Deployment
from gateway.errors import ProviderError
from gateway.exchange import Request


class Reader(Protocol):
    """Follows its stream; `gateway/wires` says what each of these is."""

    meaningful: bool
    finished: bool
    failure: ProviderError | None
    usage: Usage | None
    service_tier: str
    tail: bytes
    delivered: list[str]

    def feed(self, chunk: bytes) -> Event | None:
        """What of a chunk goes on."""


class Under(Protocol):
    """The wire."""

    def build_request(self, ask: Ask, deployment: Deployment) -> Request:
        """The provider's request."""

    def read_reply(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """A whole answer."""

    def read_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """An answer that is an error."""

    def open_stream(self, ask: Ask) -> Reader:
        """A reader for a streamed answer."""
