"""The running event loop, remembered: Python 3.11 asks the system for the process's id at each question."""

import asyncio


class LoopOf:
    """The loop that its owner runs on; another one after the first has ended."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        loop = self._loop
        if loop is None or not loop.is_running():
            loop = self._loop = asyncio.get_running_loop()
        return loop
