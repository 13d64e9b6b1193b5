"""A loop in a thread of its own: calls from any thread, and from any other loop, are made there."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager
from threading import Lock, Thread, current_thread
from typing import Any, TypeVar

from gateway.errors import GatewayError

_Answer = TypeVar("_Answer")
_Work = Callable[..., Coroutine[Any, Any, _Answer]]
_END_SECONDS = 10.0


class GatewayClosed(GatewayError):
    """This gateway is closed."""

    code = "gateway_closed"
    status = 503


class Background:
    """Begins with the first call, and ends when it is closed."""

    def __init__(self, within: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self._within = within
        """What is open while the loop runs."""
        self._lock = Lock()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._process = 0
        self._works: set[asyncio.Task[Any] | None] = set()
        self.closed = False

    def wait(self, work: "_Work[_Answer]", *arguments: Any) -> _Answer:
        """Do something there, and wait for it here."""
        future = self._submit(work, *arguments)
        try:
            return future.result()
        except CancelledError:
            raise GatewayClosed from None
        finally:
            future.cancel()  # who stops waiting stops the work too

    async def hop(self, work: "_Work[_Answer]", *arguments: Any) -> _Answer:
        """The same from a loop, which goes on with other things."""
        try:
            return await asyncio.wrap_future(self._submit(work, *arguments))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.closed and task is not None and not task.cancelling():
                raise GatewayClosed from None
            raise

    def tell(self, callback: Callable[[], object]) -> None:
        """Have something done there soon; nothing is to be done any more once it is closed."""
        with self._lock:
            if self._loop is not None and not self.closed:
                self._loop.call_soon_threadsafe(callback)

    def close(self) -> None:
        """End what is under way, let the books hear of it, and end the thread."""
        with self._lock:
            was_closed, self.closed = self.closed, True
            thread = self._thread
            if thread is None or self._process != os.getpid():
                return
            if not was_closed and self._loop is not None and self._over is not None:
                self._loop.call_soon_threadsafe(self._over.set)
        if thread is not current_thread():
            thread.join(_END_SECONDS)

    def _submit(self, work: "_Work[_Answer]", *arguments: Any) -> "Future[_Answer]":
        with self._lock:
            if self.closed:
                raise GatewayClosed
            loop = self._running()
            return asyncio.run_coroutine_threadsafe(self._noted(work, *arguments), loop)

    async def _noted(self, work: "_Work[_Answer]", *arguments: Any) -> _Answer:
        """What is noted is ended when all of it ends."""
        task = asyncio.current_task()
        self._works.add(task)
        try:
            return await work(*arguments)
        finally:
            self._works.discard(task)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
            self._thread = Thread(target=self._run, args=(begun,), name="gateway", daemon=True)
            self._thread.start()
            self._loop, self._over = begun.result()
            self._process = os.getpid()
        elif self._process != os.getpid():
            raise GatewayClosed("This gateway was begun in another process: make one in each.")
        return self._loop

    def _run(self, begun: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve(begun))
        except BaseException as error:
            if begun.done():
                raise
            begun.set_exception(error)

    async def _serve(self, begun: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
        over = asyncio.Event()
        async with self._within():
            begun.set_result((asyncio.get_running_loop(), over))
            await over.wait()
            await end_tasks(self._works)


async def end_tasks(tasks: Iterable["asyncio.Task[Any] | None"]) -> None:
    """Cancel tasks, and wait until they have cleared up."""
    there = [task for task in tasks if task is not None]
    for task in there:
        task.cancel()
    await asyncio.gather(*there, return_exceptions=True)
