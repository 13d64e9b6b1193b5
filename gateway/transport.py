"""The only HTTP client: connections to providers, kept open between calls.

It does what providers' APIs need and no more (HTTP/1.1, TLS, keep-alive, streamed answers): a
general client costs more CPU a call than all of the gateway's own promises (docs/decisions/0010).
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from time import monotonic
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway import errors
from gateway.connection import Connection
from gateway.exchange import Request

LARGEST_REPLY = 64 * 1024 * 1024
REST_AT_MOST = 4.0
"""Seconds that a kept connection rests, less than common servers allow.

A request that crosses the provider's hanging up may have been worked on for all we know.
"""
_ANNOUNCED = re.compile(r"timeout=(\d{1,6})")

_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int


class HttpAnswer:
    """A provider's answer over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status = connection.status
        self.headers = connection.headers

    async def read(self) -> bytes:
        """The whole body."""
        body = await self._connection.more()
        if not (more := await self._connection.more()):
            return body
        pieces = bytearray(body)
        while more:
            pieces += more
            if len(pieces) > LARGEST_REPLY:
                raise errors.ProviderMalformed("The provider's answer is larger than this gateway accepts.")
            more = await self._connection.more()
        return bytes(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        while piece := await self._connection.more():
            yield piece


class Exchange:
    """One request and its answer; left early, it closes the connection, so that the provider notices."""

    __slots__ = ("_address", "_connection", "_request", "_transport")

    def __init__(self, transport: "HttpTransport", request: Request) -> None:
        self._transport = transport
        self._request = request

    async def __aenter__(self) -> HttpAnswer:
        address, head = _split(self._request.url)
        connection = self._transport.idle(address)
        if connection is None:
            connection = await self._transport.connect(address, self._request.connect_timeout)
        self._address, self._connection = address, connection
        try:
            connection.send(_encode(head, self._request))
            await connection.head()
        except BaseException:
            connection.close()
            raise
        return HttpAnswer(connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.give_back(self._address, self._connection)


class HttpTransport:
    """The pool."""

    def __init__(self) -> None:
        self._idle: dict[Address, list[Connection]] = {}
        self._tls = ssl.create_default_context()

    def open(self, request: Request) -> Exchange:
        """Send a request."""
        return Exchange(self, request)

    def idle(self, address: Address) -> Connection | None:
        """A kept connection that is still good, the last used first."""
        kept = self._idle.get(address)
        while kept:
            connection = kept.pop()
            if connection.is_open and monotonic() < connection.rests_until:
                return connection
            connection.close()
        return None

    async def connect(self, address: Address, seconds: float) -> Connection:
        """A new connection; only one that never stood is sure to have cost nothing."""
        tls = self._tls if address.scheme == "https" else None
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection, address.host, address.port, ssl=tls
                )
        except (OSError, TimeoutError, ValueError) as error:
            raise errors.ProviderRefusedConnection from error
        return connection

    def give_back(self, address: Address, connection: Connection) -> None:
        """Keep a connection whose answer came to its end; close any other."""
        if connection.reusable and connection.is_open:
            connection.rests_until = monotonic() + rest_of(connection.headers)
            self._idle.setdefault(address, []).append(connection)
        else:
            connection.close()

    async def close(self) -> None:
        """Close all connections."""
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()


def rest_of(headers: Mapping[str, str]) -> float:
    """How long a connection may rest: well before the provider says that it will end."""
    announced = _ANNOUNCED.search(headers.get("keep-alive", ""))
    return REST_AT_MOST if announced is None else min(REST_AT_MOST, int(announced[1]) / 2)


@lru_cache(maxsize=256)
def _split(url: str) -> tuple[Address, str]:
    """Where a URL leads, and the first lines of a request to it."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or not url.isascii() or not url.isprintable():
        raise errors.ProviderRefusedConnection("The provider's address is not a web address.")
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if " " in path:
        raise errors.ProviderRefusedConnection("The provider's address has a space in it.")
    host = parts.netloc.rpartition("@")[2]
    address = Address(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])
    return address, f"POST {path} HTTP/1.1\r\nhost: {host}\r\n"


def _encode(head: str, request: Request) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in request.headers.items()]
    text = f"{head}{''.join(lines)}content-length: {len(request.body)}\r\n\r\n"
    if text.count("\r\n") != len(lines) + 4 or text.count("\n") != len(lines) + 4:
        raise errors.ProviderRefusedConnection("A header for the provider has a line break in it.")
    return text.encode("latin-1") + request.body
