"""What each dialect's file provides to the carriers."""

from typing import Protocol

from gateway.call import Call, Event, Outcome
from gateway.errors import GatewayError


class StreamRenderer(Protocol):
    """Tells one stream in a dialect's own events."""

    def render(self, event: Event) -> bytes:
        """What comes, as far as there is something to tell."""

    def finish(self, outcome: Outcome) -> bytes:
        """The rest, once the ledger has the call: what was kept of a stream that began late, and the end."""


class Dialect(Protocol):
    """How clients of one kind ask, and want to be answered."""

    NAME: str

    def render_reply(self, call: Call, outcome: Outcome) -> bytes:
        """A whole answer."""

    def open_stream(self, call: Call) -> StreamRenderer | None:
        """How a stream is told; None where the events of the ask's own format go through."""

    def render_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error as a body."""

    def render_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error as the last event of a stream."""
