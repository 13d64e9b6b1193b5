"""Several processes as one service: one that dies is started again, and all end in their order.

1. every child starts, in a session of its own: a terminal's Ctrl-C reaches this process alone
2. a child that dies is started again: at once if it had lived, else after a pause that grows
3. SIGTERM or SIGINT: the ranks end one after the other, each while the later ones still work
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping, Sequence

PATIENCE = 45.0
"""Seconds that a child has to end: a web process gives its calls 30 of them."""
LONGEST_PAUSE = 10.0
_FIRST_PAUSE = 0.25
_LIVED = 10.0
_NOT_STARTED = 71
"""The shell's code for an error of the operating system."""

logger = logging.getLogger(__name__)


class Child:
    """A process that is wanted until it is told to end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._descriptors = descriptors
        self._patience = patience
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Ask it to end."""
        self._told.set()

    async def keep(self) -> bool:
        """Start it as often as it dies; once told, whether it ended well."""
        deaths = 0
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._live()
            if self._told.is_set():
                return code in (0, -signal.SIGTERM)
            deaths = 0 if asyncio.get_running_loop().time() - began > _LIVED else deaths + 1
            pause = pause_after(deaths)
            logger.error("%s %s: it is started again in %s s", self.name, how_it_ended(code), pause)
            if await self._is_told_within(pause):
                return True

    async def _live(self) -> int:
        """One life, from its start to its exit code."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, pass_fds=self._descriptors, start_new_session=True
            )
        except OSError as error:
            logger.error("%s could not be started: %s", self.name, error)
            return _NOT_STARTED
        logger.info("%s is process %s", self.name, process.pid)
        exited, told = asyncio.create_task(process.wait()), asyncio.create_task(self._told.wait())
        await asyncio.wait((exited, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not exited.done():
            process.terminate()
            await asyncio.wait((exited,), timeout=self._patience)
        if not exited.done():
            logger.error("%s did not end within %s s: it is killed", self.name, self._patience)
            process.kill()
        return await exited

    async def _is_told_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._told.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def supervise(*ranks: Sequence[Child], ending: Callable[[], None]) -> bool:
    """Keep all children until a signal comes, then end them rank by rank; whether all ended well."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    keeping = [[asyncio.create_task(child.keep()) for child in rank] for rank in ranks]
    await told.wait()
    ending()
    ended = []
    for rank, tasks in zip(ranks, keeping, strict=True):
        for child in rank:
            child.tell()
        ended += await asyncio.gather(*tasks)
    return all(ended)


def pause_after(deaths: int) -> float:
    """Seconds before the next start, after so many lives in a row that were short."""
    return min(LONGEST_PAUSE, _FIRST_PAUSE * 2**deaths) if deaths else 0.0


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended by itself with exit code {code}"
    return f"was ended by signal {-code} ({signal.strsignal(-code)})"
