"""Waiting for something or for the clock, whichever comes first."""

import asyncio
from typing import Any

from gateway.ports import Clock


async def done_within(future: "asyncio.Future[Any]", seconds: float, clock: Clock) -> bool:
    """Whether it is done when the time is over, at the latest; it goes on if not."""
    if future.done() or seconds <= 0:
        return future.done()
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((future, alarm), return_when=asyncio.FIRST_COMPLETED)
    finally:
        alarm.cancel()
    return future.done()
