"""Noticing that a caller left: the server does not cancel a handler whose client is gone."""

import asyncio

from api.asgi import Receive
from gateway.ticker import Ticker


class Departure:
    """Cancels the current task when the caller leaves; used as `with`.

    Calls that are over before the first tick are not watched: a watcher costs more than the little
    that it could save.
    """

    __slots__ = ("_receive", "_task", "_ticker", "_watcher", "happened")

    def __init__(self, receive: Receive, ticker: Ticker) -> None:
        self._receive = receive
        self._ticker = ticker
        self._watcher: asyncio.Task[None] | None = None
        self.happened = False

    def __enter__(self) -> "Departure":
        self._task = asyncio.current_task(self._ticker.loop())
        self._ticker.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._ticker.discard(self)
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None  # it leads back here: nothing is left for the collector

    def tick(self, now: float) -> None:
        """Begin to watch."""
        self._ticker.discard(self)
        self._watcher = self._ticker.loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        if self._task is not None:
            self._task.cancel()
