"""What readers of streams do alike: events are cut out, and passed on as they came until the end."""

from abc import ABC, abstractmethod

from gateway.call import Event, Usage
from gateway.errors import ProviderError
from gateway.sse import Frames, event_data


class Following(ABC):
    """Follows one stream. Its end marker is kept back as `tail`: it goes out when the ledger has the call."""

    def __init__(self) -> None:
        self.meaningful = False
        self.finished = False
        self.failure: ProviderError | None = None
        self.usage: Usage | None = None
        self.service_tier = ""
        self.tail = b""
        self.delivered: list[str] = []
        self._frames = Frames()

    def feed(self, chunk: bytes) -> Event | None:
        """What of this chunk goes on to the caller."""
        passed = [event for event in self._frames.feed(chunk) if self._passes(event)]
        return Event(b"".join(passed)) if passed else None

    def _passes(self, event: bytes) -> bool:
        if self.finished or self.failure is not None:
            return False
        data = event_data(event)
        return data is None or self._follow(event, data)

    @abstractmethod
    def _follow(self, event: bytes, data: bytes) -> bool:
        """Take note of an event; whether it goes on to the caller."""
