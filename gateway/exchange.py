"""What is said to a provider."""

from collections.abc import Mapping

from msgspec import Struct


class Timeouts(Struct, frozen=True, kw_only=True, gc=False):
    """Seconds that a provider has to connect, to begin, between pieces and in all."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 600.0


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP request, ready to go out."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    connect_timeout: float = 5.0
