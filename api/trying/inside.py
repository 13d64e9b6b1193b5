"""The lane, asked from within: by Django's views, which run in threads beside the engine's loop.

1. the request is put together anew, with a pass in the place of a key, and goes to the lane on its loop
2. whoever asked waits for the head, and then takes the body whole or piece by piece
3. who asked and leaves is told to the lane like any caller's departure, so that the call is cut and settled:
   the server tells Django of it, which waits for the view's thread all the same, so it is overheard
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

from msgspec import Struct, field

from api.asgi import App, Message, Receive, Scope
from gateway.ports import Witnesses

INSIDE = "gateway.inside"
"""Where a scope has the way to the lane."""

_PIECES_AHEAD = 16
_READER_IS_GONE = 60.0
"""Seconds that a piece waits for somebody to take it."""

_Result = TypeVar("_Result")


class Inside(Struct, frozen=True):
    """The way to the lane from other threads, for one request."""

    lane: App
    loop: asyncio.AbstractEventLoop
    witnesses: Witnesses | None = None
    """Who knows why calls went as they did."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once whoever asked is gone."""

    def overhear(self, receive: Receive) -> Receive:
        """The server's messages as they come; that somebody left is noticed in passing."""

        async def overheard() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
            return message

        return overheard

    def errand(self, scope: Scope, body: bytes) -> "Errand":
        """A request to the lane, for as long as whoever asked is there."""
        return Errand(self.lane, scope, body, self.left)

    def wait_for(self, doing: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of what is done on the lane's loop; only for threads beside it.

        In a context of its own: in this thread's, the lane's questions to the database would be meant for
        this very thread, which waits.
        """
        return Context().run(asyncio.run_coroutine_threadsafe, doing, self.loop).result()


class CallerLeft(Exception):
    """Nobody waits for this answer any more."""


class Head(Struct, frozen=True):
    """How an answer begins."""

    status: int
    headers: dict[str, str]


class Errand:
    """One request to the lane, and its answer; it lives on the lane's loop."""

    def __init__(self, lane: App, scope: Scope, body: bytes, left: asyncio.Event | None = None) -> None:
        self._lane = lane
        self._scope = scope
        self._body: bytes | None = body
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_AHEAD)
        self._left = left or asyncio.Event()

    async def begin(self) -> Head:
        """Ask, and wait until the answer begins."""
        self._head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._ask())
        self._task.add_done_callback(self._over)
        return await self._head

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; who stops listening has left."""
        try:
            while (piece := await self._pieces.get()) is not None:
                yield piece
        finally:
            self._left.set()

    async def whole(self, at_most: int) -> tuple[bytes, bool]:
        """The body up to so many bytes, and whether that was all; the call goes on to its end."""
        kept, is_all = bytearray(), True
        async for piece in self.pieces():
            room = at_most - len(kept)
            kept += piece[:room]
            is_all = is_all and len(piece) <= room
        return bytes(kept), is_all

    async def _ask(self) -> None:
        await self._lane(self._scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            if not self._head.done():
                self._head.set_result(Head(message["status"], headers))
            return
        if message.get("body"):
            await self._offer(message["body"])
        if not message.get("more_body"):
            await self._offer(None)

    async def _offer(self, piece: bytes | None) -> None:
        """Hand a piece over; nobody is waited for who has left, or takes nothing for too long."""
        if self._left.is_set():
            return
        try:
            async with asyncio.timeout(_READER_IS_GONE):
                await self._pieces.put(piece)
        except TimeoutError:
            self._left.set()

    def _over(self, task: "asyncio.Task[None]") -> None:
        """Whatever happened to the lane, nobody waits for more."""
        error = None if task.cancelled() else task.exception()
        if not self._head.done():
            self._head.set_exception(error or CallerLeft())
        with suppress(asyncio.QueueFull):
            self._pieces.put_nowait(None)
