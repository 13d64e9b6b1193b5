"""A provider's stream cut into its events, whatever pieces it comes in."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol

import msgspec

from gateway.errors import ProviderError, ProviderMalformed
from gateway.failures import failure_of
from gateway.sse import LARGEST_EVENT, Frames, event_data

_any = msgspec.json.Decoder()
Told = Mapping[str, Any]

_STATUSES = {
    "accessDeniedException": 403,
    "internalServerException": 500,
    "modelErrorException": 500,
    "modelStreamErrorException": 500,
    "modelTimeoutException": 408,
    "serviceUnavailableException": 503,
    "throttlingException": 429,
    "validationException": 400,
}
"""What Amazon's exceptions would be as the status of an answer."""


class Framing(Protocol):
    """Finds events in bytes."""

    def feed(self, chunk: bytes) -> Iterator[Told | ProviderError | None]:
        """The events that these bytes complete; None for one that is empty."""


class SseFraming:
    """Server-sent events with an object each."""

    def __init__(self) -> None:
        self._frames = Frames()

    def feed(self, chunk: bytes) -> Iterator[Told | None]:
        """The events that these bytes complete; None for one without data."""
        for event in self._frames.feed(chunk):
            data = event_data(event)
            yield None if not data else _object(data)


class LineFraming:
    """An object a line."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Told | None]:
        """The lines that these bytes complete."""
        self._rest += chunk
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        if len(rest) > LARGEST_EVENT:
            raise ProviderMalformed("The provider sent an event without an end.")
        for line in lines:
            yield _object(bytes(line)) if line.strip() else None


class AmazonFraming:
    """Amazon's binary event stream, checksums and all: a frame's kind becomes its object's only member."""

    def __init__(self) -> None:
        self._stream = import_module("botocore.eventstream")
        self._buffer = self._stream.EventStreamBuffer()

    def feed(self, chunk: bytes) -> Iterator[Told | ProviderError]:
        """The frames that these bytes complete."""
        self._buffer.add_data(chunk)
        try:
            for frame in self._buffer:
                yield _of_amazon(frame.headers, frame.payload)
        except self._stream.ParserError as error:
            raise ProviderMalformed from error


def _of_amazon(headers: Mapping[str, Any], payload: bytes) -> Told | ProviderError:
    kind = headers.get(":message-type")
    if kind == "exception":
        return failure_of(_STATUSES.get(str(headers.get(":exception-type")), 500), {}, _as_error(payload))
    if kind == "error":
        return failure_of(500, {}, b"{}")
    return {str(headers.get(":event-type")): _object(payload)}


def _as_error(payload: bytes) -> bytes:
    return msgspec.json.encode({"error": {"message": str(_object(payload).get("message", ""))}})


def _object(data: bytes) -> Told:
    try:
        told = _any.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProviderMalformed from error
    if not isinstance(told, dict):
        raise ProviderMalformed
    return told
