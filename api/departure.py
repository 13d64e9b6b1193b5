"""Noticing that a caller left: the server does not cancel a handler whose client is gone."""

import asyncio

from api.asgi import Receive

_GRACE = 0.05
"""Shorter calls are not watched: a watcher costs more than the little that it could save."""


class Departure:
    """Cancels the current task when the caller leaves; used as `with`."""

    __slots__ = ("_handle", "_receive", "_task", "_watcher", "happened")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[object] | None = None
        self.happened = False

    def __enter__(self) -> "Departure":
        self._task = asyncio.current_task()
        self._handle = asyncio.get_running_loop().call_later(_GRACE, self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        if self._task is not None:
            self._task.cancel()
