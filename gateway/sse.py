"""Server-sent events, cut out of a byte stream without changing a byte of it."""

import re

from gateway.errors import ProviderMalformed

LARGEST_EVENT = 16 * 1024 * 1024
"""A provider that sends more than this without ending an event is broken or hostile."""

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST_BOUNDARY = 4


class Frames:
    """Splits what arrives, in whatever pieces, into whole events."""

    __slots__ = ("_buffer", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events, boundary included, that this chunk completes."""
        buffer = self._buffer
        buffer += chunk
        events = []
        start = 0
        for boundary in _BOUNDARY.finditer(buffer, self._searched):
            events.append(bytes(buffer[start : boundary.end()]))
            start = boundary.end()
        del buffer[:start]
        if len(buffer) > LARGEST_EVENT:
            raise ProviderMalformed("The provider sent an event without an end.")
        self._searched = max(0, len(buffer) - _LONGEST_BOUNDARY + 1)
        return events


def event_data(event: bytes) -> bytes | None:
    """The data of an event, several lines joined; None for a comment or an event without data."""
    if event.startswith(b"data:") and event.count(b"\n") == 2 and event.endswith(b"\n\n"):
        return event[5:].strip()
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def encode_event(data: bytes) -> bytes:
    """An event with this data."""
    return b"data: " + data + b"\n\n"
