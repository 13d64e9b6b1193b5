"""A streamed answer's text: it comes on the gateway's own loop and is taken from there by whoever asked."""

import asyncio

from gateway.call import Call, Event, Outcome, Served
from gateway.pipeline import Gateway
from gateway.plain import TextReader

PIECES_AT_MOST = 64
"""Pieces that wait for a reader who is slow; then the provider waits too."""


class TextStream:
    """The relay of one call."""

    def __init__(self, gateway: Gateway, call: Call) -> None:
        self._gateway = gateway
        self._call = call
        self._reader = TextReader()
        self._texts: list[str] = []
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self.task: asyncio.Task[Outcome] | None = None

    async def take(self) -> list[str]:
        """What came since, one piece at the least; nothing at the end. The first time begins the call."""
        task = self._begun()
        while not self._texts and not task.done():
            self._more.clear()
            await self._more.wait()
        if self._texts:
            texts, self._texts = self._texts, []
            self._room.set()
            return texts
        task.result()  # its reply is the end marker alone: text commits an answer, and has been sent
        return []

    def cancel(self) -> None:
        """Nobody listens any more."""
        if self.task is not None:
            self.task.cancel()

    async def start(self, served: Served) -> None:
        """Who answers is not told to scripts."""

    async def send(self, event: Event) -> None:
        """Keep the text of an event; wait if nobody takes it."""
        text = self._reader.read(event)
        if text:
            self._texts.append(text)
            self._more.set()
        while len(self._texts) >= PIECES_AT_MOST:
            self._room.clear()
            await self._room.wait()

    def _begun(self) -> "asyncio.Task[Outcome]":
        if self.task is None:
            self.task = asyncio.create_task(self._gateway.run(self._call, self))
            self.task.add_done_callback(lambda _: self._more.set())
        return self.task
