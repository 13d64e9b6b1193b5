"""Watching for callers who leave: what the watch itself leaves behind."""

import asyncio
import gc
import weakref

from api.asgi import Message
from api.departure import Departure
from gateway.ticker import Ticker


async def _nothing_comes() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_watch_that_is_over_leaves_nothing_for_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        watch = await _watched()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert watch() is None
    finally:
        gc.enable()


async def _watched() -> "weakref.ref[asyncio.Task[None]]":
    """A call that took so long that its caller was watched."""
    departure = Departure(_nothing_comes, Ticker())
    with departure:
        departure.tick(0.0)
        await asyncio.sleep(0)
        assert departure._watcher is not None
        return weakref.ref(departure._watcher)
