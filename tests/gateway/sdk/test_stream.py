"""A streamed text on its way from the gateway's loop to whoever asked."""

import asyncio
from typing import cast

from gateway.call import Call, Event, Origin, Outcome, Reply, Served
from gateway.ids import uuid7
from gateway.pipeline import Gateway
from gateway.sdk.stream import PIECES_AT_MOST, TextStream
from tests.support.engine import make_ask
from tests.support.provider_scripts import DONE, delta, event

PIECES = [f"{number} " for number in range(5 * PIECES_AT_MOST)]


class Pouring:
    """An engine whose answer comes as fast as it is taken."""

    def __init__(self) -> None:
        self.sent = 0

    async def run(self, call: Call, relay: TextStream) -> Outcome:
        """Send every piece, and then the end marker."""
        for piece in PIECES:
            await relay.send(Event(event(delta(piece))))
            self.sent += 1
        reply = Reply(status=200, content_type="text/event-stream", body=DONE)
        served = Served(provider="p", deployment="p/m", model="m")
        return Outcome(reply=reply, served=served, charge_nano=0, overhead_us=0)


async def test_the_provider_waits_for_a_slow_reader_who_misses_nothing() -> None:
    pouring = Pouring()
    call = Call(id=uuid7(), ask=make_ask(stream=True), origin=Origin(), started=0.0)
    stream = TextStream(cast(Gateway, pouring), call)
    heard = await stream.take()
    for _ in range(10 * len(PIECES)):
        await asyncio.sleep(0)
    assert len(heard) <= PIECES_AT_MOST
    assert pouring.sent <= 2 * PIECES_AT_MOST
    while texts := await stream.take():
        heard += texts
    assert heard == PIECES
    assert await stream.take() == []
