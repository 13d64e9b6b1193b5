"""A second try beside the first, once the first takes longer than it mostly does.

Whichever first has something for the caller wins, and ends the other, which is listed all the same: its
provider may bill it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from gateway.call import Reply
from gateway.ports import Clock
from gateway.racing import done_within
from gateway.tab import Tab

Try = Coroutine[Any, Any, Reply]
Spare = Callable[[], Awaitable[Try | None]]
"""The second try, if there is one and the books bear it."""


async def hedged(tab: Tab, first: Try, spare: Spare, *, seconds: float, clock: Clock) -> Reply:
    """The answer of whoever wins; a failure, if nobody does."""
    racing = tab.racing
    one = asyncio.ensure_future(first)
    racing.add(one)
    try:
        if not await done_within(one, seconds, clock) and tab.winner is None:
            second = await spare()
            if second is not None:
                racing.add(asyncio.ensure_future(second))
        return await _first_good(one, racing)
    finally:
        for task in racing:
            task.cancel()
        await asyncio.wait(racing)  # the entry is to list what they came to
        racing.clear()


async def _first_good(one: "asyncio.Future[Reply]", racing: "set[asyncio.Future[Reply]]") -> Reply:
    """Whoever fails, for whatever reason, leaves the other alone; the first one's failure is the one told."""
    running = set(racing)
    while running:
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled() and task.exception() is None:
                return task.result()
    failures = [task.exception() for task in (one, *racing) if not task.cancelled()]
    raise next(filter(None, failures), asyncio.CancelledError())
