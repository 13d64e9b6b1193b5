"""A timeout whose end moves with every sign of life, without a new timer for each."""

import asyncio
from types import TracebackType

from gateway.errors import DeadlinePassed, GatewayError, ProviderTimeout


class Patience:
    """Cancels the task within once `expect` was called longer ago than it allowed; raises ours instead.

    The timer is lazy: progress only sets a number, and the timer looks at it when it fires.
    """

    __slots__ = ("_cancelling", "_deadline", "_expires", "_handle", "_loop", "_ran_out", "_task")

    def __init__(self, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._expires = deadline
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._ran_out = False

    def expect(self, seconds: float) -> None:
        """The next sign of life is due within so many seconds."""
        self._expires = min(self._loop.time() + seconds, self._deadline)
        if self._handle is None or self._handle.when() > self._expires:
            self._arm()

    async def __aenter__(self) -> "Patience":
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._ran_out and self._task is not None:
            ours_alone = self._task.uncancel() <= self._cancelling
            if ours_alone and kind is asyncio.CancelledError:
                raise self._verdict() from error

    def _verdict(self) -> GatewayError:
        return DeadlinePassed() if self._expires >= self._deadline else ProviderTimeout()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(self._expires, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._expires:
            self._arm()
        elif self._task is not None:
            self._ran_out = True
            self._task.cancel()
