"""A timeout whose end moves with every sign of life."""

import asyncio
from types import TracebackType

from gateway.errors import DeadlinePassed, GatewayError, ProviderTimeout
from gateway.ticker import Ticker


class Patience:
    """Cancels the task within once `expect` was called longer ago than it allowed; raises ours instead.

    Progress only sets a number, and the ticker looks at it.
    """

    __slots__ = ("_cancelling", "_deadline", "_expires", "_loop", "_ran_out", "_task", "_ticker")

    def __init__(self, deadline: float, ticker: Ticker) -> None:
        self._loop = ticker.loop()
        self._deadline = deadline
        self._expires = deadline
        self._ticker = ticker
        self._ran_out = False

    def expect(self, seconds: float) -> None:
        """The next sign of life is due within so many seconds."""
        expires = self._loop.time() + seconds
        self._expires = expires if expires < self._deadline else self._deadline

    def rest(self) -> None:
        """Nothing is due but the end: the wait is for the caller, not for the provider."""
        self._expires = self._deadline

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._ticker.discard(self)

    @property
    def ran_out(self) -> bool:
        """Whether it was this that cancelled the task."""
        return self._ran_out

    def tick(self, now: float) -> None:
        """Run out, once it is time."""
        if now >= self._expires and not self._ran_out and self._task is not None:
            self._ran_out = True
            self._task.cancel()

    async def __aenter__(self) -> "Patience":
        self._task: asyncio.Task[object] | None = asyncio.current_task(self._loop)
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._ticker.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.discard(self)
        if self._ran_out and self._task is not None:
            ours_alone = self._task.uncancel() <= self._cancelling
            if ours_alone and kind is asyncio.CancelledError:
                raise self._verdict() from error

    def _verdict(self) -> GatewayError:
        return DeadlinePassed() if self._expires >= self._deadline else ProviderTimeout()
