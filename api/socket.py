"""Carrier 2: a WebSocket, on which many requests are made at once.

1. host, origin and the handshake's headers are judged: what is wrong with them is said by HTTP
2. the key is looked at, and how many sockets it has: whoever may not stay is told so by a code
3. a session answers the frames (`api/socket_session.py`)
4. the socket is closed with a code that says why
"""

from collections import Counter
from uuid import UUID

from api.asgi import Headers, Receive, Scope, Send
from api.dialects.socket import render_error
from api.hosts import Hosts
from api.origin import read_credential, read_origin, read_request_id
from api.socket_line import CROWDED, SocketLine, ending_of
from api.socket_session import Session
from gateway.call import Origin
from gateway.errors import GatewayError, UnknownDoor
from gateway.ids import uuid7
from gateway.pipeline import Gateway

PATH = "/ws/v1/generate"
SUBPROTOCOL = "gateway"
SOCKETS_AT_MOST = 100
"""Of one key, in one process."""


class Socket:
    """The ASGI app of the socket."""

    def __init__(self, *, gateway: Gateway, hosts: Hosts, streams: bool, idle_seconds: float) -> None:
        self._gateway = gateway
        self._hosts = hosts
        self._streams = streams
        self._idle_seconds = idle_seconds
        self._open: Counter[UUID] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        await receive()
        try:
            origin = self._origin(scope)
        except GatewayError as error:
            await _refuse(send, error)
            return
        offered = SUBPROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if offered else None})
        line = SocketLine(send)
        await self._serve(origin, receive, line)

    def _origin(self, scope: Scope) -> Origin:
        headers = _with_key(dict(scope["headers"]), scope["subprotocols"])
        self._hosts.check(headers.get(b"host", b""))
        if scope["path"] != PATH:
            raise UnknownDoor("There is no socket at this address.")
        address = scope["client"][0] if scope.get("client") else ""
        return read_origin(headers, read_request_id(headers, uuid7()), address, self._hosts)

    async def _serve(self, origin: Origin, receive: Receive, line: SocketLine) -> None:
        try:
            principal = await self._gateway.directory.identify(origin)
        except GatewayError as error:
            await line.close(ending_of(error))
            return
        whose = principal.key_id or principal.tenant_id
        if self._open[whose] >= SOCKETS_AT_MOST:
            await line.close(CROWDED)
            return
        self._open[whose] += 1
        try:
            session = Session(
                gateway=self._gateway,
                origin=origin,
                receive=receive,
                line=line,
                streams=self._streams,
                idle_seconds=self._idle_seconds,
            )
            await session.serve()
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]


def _with_key(headers: Headers, subprotocols: list[str]) -> Headers:
    """A browser can send no headers of its own: it names the key behind our name, as a second subprotocol."""
    if read_credential(headers) or len(subprotocols) != 2 or subprotocols[0] != SUBPROTOCOL:
        return headers
    return {**headers, b"x-api-key": subprotocols[1].encode("latin-1", "replace")}


async def _refuse(send: Send, error: GatewayError) -> None:
    body = render_error(None, error)
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
