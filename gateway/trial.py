"""One try at one deployment: the request goes out, the answer comes in, and the call's tab is told of it.

A hedged call has two tries under way at once. Whichever first has something for the caller has won; it
ends the other, and from then on it alone writes what the call comes to.
"""

import asyncio
from contextlib import suppress

from msgspec import Struct

from gateway.call import Attempt, Event, Reply, Usage
from gateway.catalog import Deployment
from gateway.errors import DeadlinePassed, ProviderCut, ProviderError
from gateway.exchange import Request
from gateway.patience import Patience
from gateway.ports import Answer, Clock, Relay, Transport
from gateway.steps.check import check_reply
from gateway.tab import Tab, served_by
from gateway.ticker import Ticker
from gateway.wires import StreamReader, Translation, Wire

HEARD_OUT_WITHIN = 60.0
"""Seconds that a provider is listened to for its bill alone."""
_LAST_BOUNDARY = b"\n\n"
"""Some providers hang up right behind their last line."""


class Trial(Struct, kw_only=True, eq=False):
    """One of a call's tries."""

    tab: Tab
    deployment: Deployment
    wire: Wire
    request: Request
    clock: Clock
    ticker: Ticker
    began: float
    usage: Usage | None = None
    service_tier: str = ""
    delivered: list[str] = []
    seconds: float = 0.0
    first_byte: float | None = None
    """Seconds until a good answer began."""
    is_whole: bool = False
    has_missed: bool = False
    """It was its provider that failed."""
    committed: bool = False
    """The caller has been sent something of it."""

    async def run(self, transport: Transport, relay: Relay | None) -> Reply:
        """The provider's good answer; however this ends, the tab lists it."""
        tab = self.tab
        tab.reached = self.deployment
        try:
            reply = await self._exchange(transport, relay)
        except ProviderError as error:
            self.has_missed = True
            tab.maybe_billed += error.needs_cover
            self._note(error.code, error.upstream_status, unseen=error.outcome_unknown)
            raise
        except DeadlinePassed as error:
            self._note(error.code, None, unseen=True)
            raise
        except asyncio.CancelledError:
            self._note("caller_left" if tab.winner in (None, self) else "outrun", None, unseen=True)
            raise
        tab.served, self.is_whole = self.deployment, True
        self._note("ok", 200, unseen=False)
        return reply

    async def _exchange(self, transport: Transport, relay: Relay | None) -> Reply:
        ask, timeouts = self.tab.call.ask, self.deployment.timeouts
        deadline = self.tab.call.started + (self.tab.call.origin.timeout or timeouts.total)
        async with Patience(deadline, self.ticker) as patience:
            patience.expect(timeouts.connect + timeouts.first_byte)
            async with transport.open(self.request) as answer:
                if answer.status >= 300:
                    raise self.wire.read_failure(answer.status, answer.headers, await answer.read())
                if ask.stream and relay is not None:
                    return await self._relay(answer, patience, relay)
                patience.expect(timeouts.idle)
                self.first_byte = self.clock.monotonic() - self.began
                body = await answer.read()
                if isinstance(self.wire, Translation):
                    reply = await self.wire.read(ask, answer.headers, body)
                else:
                    reply = self.wire.read_reply(ask, answer.headers, body)
        check_reply(reply)
        self._win()
        self.usage, self.service_tier = reply.usage, reply.service_tier
        self.delivered.extend(reply.texts)
        return reply

    async def _relay(self, answer: Answer, patience: Patience, relay: Relay) -> Reply:
        reader = self.wire.open_stream(self.tab.call.ask)
        self.delivered = reader.delivered
        kept: list[bytes] = []
        try:
            async for chunk in answer.chunks():
                patience.rest()
                await self._pass_on(reader, self._hear(reader, chunk), kept, relay)
                if reader.finished:
                    break
                patience.expect(self.deployment.timeouts.idle)
        except asyncio.CancelledError:
            if self.deployment.provider.bills_to_end and not patience.ran_out:
                await self._hear_out(reader, answer, patience)
            raise
        if not _has_ended(reader):
            raise ProviderCut
        self._win()
        return Reply(
            status=200,
            content_type="text/event-stream",
            body=b"".join([*([] if self.committed else kept), reader.tail]),
            usage=reader.usage,
        )

    def _hear(self, reader: StreamReader, chunk: bytes) -> Event | None:
        """Note what a piece of the stream says; what of it is for the caller."""
        if self.first_byte is None:
            self.first_byte = self.clock.monotonic() - self.began
        event = reader.feed(chunk)
        self.usage, self.service_tier = reader.usage, reader.service_tier
        return event

    async def _pass_on(
        self, reader: StreamReader, event: Event | None, kept: list[bytes], relay: Relay
    ) -> None:
        if event is not None and not self.committed:
            kept.append(event.data)
            event = await self._commit(reader, kept, relay)
        if event is not None:
            await relay.send(event)
        if reader.failure is not None:
            raise reader.failure

    async def _commit(self, reader: StreamReader, kept: list[bytes], relay: Relay) -> Event | None:
        """Nothing goes out before the first meaningful event; then everything kept so far does."""
        if not reader.meaningful:
            return None
        self._win()
        self.committed = self.tab.committed = True
        self.tab.ttft = self.clock.monotonic() - self.tab.call.started
        await relay.start(served_by(self.tab, self.deployment))
        return Event(b"".join(kept))

    async def _hear_out(self, reader: StreamReader, answer: Answer, patience: Patience) -> None:
        """The caller left, and the provider bills to the end all the same: hear for a while how much."""
        task = asyncio.current_task()
        if task is None or not self.committed:
            return
        task.uncancel()  # the caller's leaving is told again when this is over
        patience.stop()
        with suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(HEARD_OUT_WITHIN):
                async for chunk in answer.chunks():
                    self._hear(reader, chunk)
                    if reader.finished or reader.failure is not None:
                        break

    def _win(self) -> None:
        """From here on this try is the call's; the others end."""
        tab = self.tab
        tab.winner = self
        if tab.racing:
            current = asyncio.current_task()
            for task in tab.racing:
                if task is not current:
                    task.cancel()

    def _note(self, outcome: str, status: int | None, *, unseen: bool) -> None:
        """List the try; one whose work nobody saw counts at its bound."""
        tab = self.tab
        self.seconds = self.clock.monotonic() - self.began
        unseen = unseen and not self.committed
        if tab.winner in (None, self):
            tab.upstream_seconds += self.seconds
            tab.reached = self.deployment
            tab.service_tier, tab.delivered = self.service_tier, self.delivered
            if unseen:
                tab.usage = None  # the bound stands for all of it
            elif self.usage is not None or tab.winner is self:
                tab.usage = self.usage
        tab.attempts.append(
            Attempt(
                deployment=self.deployment.name,
                outcome=outcome,
                milliseconds=round(self.seconds * 1000),
                status=status,
                unknown_nano=tab.attempt_amounts.nano if unseen else 0,
            )
        )


def _has_ended(reader: StreamReader) -> bool:
    if not reader.finished:
        reader.feed(_LAST_BOUNDARY)
    return reader.finished
