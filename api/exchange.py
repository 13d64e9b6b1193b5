"""One request on a connection, and its answer: uvicorn's own, with less to make, and answers in one write."""

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn._types import ASGI3Application, ASGIReceiveEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from api.protocol import Protocol


class Exchange(RequestResponseCycle):
    """What an application is called with, and what it answers through."""

    access_log = False
    disconnected = False
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    more_body = True
    body: bytes | bytearray = b""  # type: ignore[assignment]

    def __init__(self, protocol: "Protocol", *, scope: Any, keep_alive: bool) -> None:
        state = protocol.server_state
        self.scope = scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.default_headers = state.default_headers
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.on_response = protocol.on_response_complete
        self.message_event = _News()  # type: ignore[assignment]
        self._tasks = state.tasks

    def start(self, app: ASGI3Application, loop: asyncio.AbstractEventLoop) -> None:
        """Call the application in a task that the server waits for when it ends."""
        self._task = asyncio.Task(self.run_asgi(app), loop=loop, name="request")  # a number costs formatting
        self._tasks.add(self._task)

    async def run_asgi(self, app: ASGI3Application) -> None:
        """The application's call, and what becomes of the connection when it fails."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            self.logger.error("Exception in ASGI application\n", exc_info=error)
            await self._give_up()
        else:
            if not self.response_complete and not self.disconnected:
                self.logger.error("ASGI callable returned without completing response.")
                await self._give_up()
        finally:
            self.on_response = _nothing
            self.scope.pop("extensions", None)  # they lead back here: nothing is left for the collector
            self._tasks.discard(self._task)

    async def _give_up(self) -> None:
        if self.response_started:
            self.transport.close()
        else:
            await self.send_500_response()

    def add(self, piece: bytes) -> int:
        """A piece of the request's body has come; how much waits to be received now."""
        if not self.body:
            self.body = piece
        elif isinstance(self.body, bytearray):
            self.body += piece
        else:
            self.body = bytearray(self.body + piece)
        self.message_event.set()
        return len(self.body)

    def end(self) -> None:
        """The request is complete."""
        self.more_body = False
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """What comes of the body, and then the client's leave."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            if not self.message_event.is_set():
                await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def write_whole(self, status: int, head: bytes, body: bytes) -> bool:
        """Write a complete answer; False if it has to go the usual way."""
        if self.response_started or self.flow.write_paused or self.scope["method"] == "HEAD":
            return False
        if self.disconnected:
            return True
        lines = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            lines += (name, b": ", value, b"\r\n")
        lines += (head, b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", body)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(lines))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


class _News:
    """An event that costs little unless somebody really waits for it."""

    __slots__ = ("_event", "_happened")

    def __init__(self) -> None:
        self._happened = False
        self._event: asyncio.Event | None = None

    def is_set(self) -> bool:
        return self._happened

    def set(self) -> None:
        self._happened = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        self._happened = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        if self._event is None:
            self._event = asyncio.Event()
        await self._event.wait()


def _nothing() -> None:
    pass
