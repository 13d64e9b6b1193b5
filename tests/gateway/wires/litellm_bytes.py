"""How providers put events into bytes."""

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

from gateway.call import Usage


class Shape(NamedTuple):
    """One provider: how a deployment names its model, and what the provider says to the same question."""

    upstream: str
    whole: bytes
    stream: bytes
    usage: Usage
    error: bytes
    wire: str = "litellm"


def told(answer: Any) -> bytes:
    """A whole answer."""
    return json.dumps(answer).encode()


def sse(*events: Mapping[str, Any], named: bool = False) -> bytes:
    """Server-sent events; Anthropic names each."""
    names = [f"event: {event['type']}\n" if named else "" for event in events]
    return "".join(
        f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True)
    ).encode()


def lines(*objects: Mapping[str, Any]) -> bytes:
    """An object a line."""
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def frame(kind: str, payload: Mapping[str, Any], *, exception: bool = False) -> bytes:
    """One frame of Amazon's event stream, with its two checksums."""
    told = {":exception-type" if exception else ":event-type": kind, ":content-type": "application/json"}
    told[":message-type"] = "exception" if exception else "event"
    headers = b"".join(_header(name, value) for name, value in told.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    named, told = name.encode(), value.encode()
    return struct.pack(">B", len(named)) + named + b"\x07" + struct.pack(">H", len(told)) + told


def frames(*events: tuple[str, Mapping[str, Any]]) -> bytes:
    """Several frames."""
    return b"".join(frame(kind, payload) for kind, payload in events)
