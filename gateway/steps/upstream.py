"""Step 6: candidates in turn until one answers, or until nothing more may be tried.

An answer is committed with its first meaningful event. Until then another deployment may take over;
after it a failure is the caller's to see.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

from msgspec.structs import replace

from gateway.accounts import Amounts
from gateway.batching import Teller
from gateway.breaker import Breaker
from gateway.call import Attempt, Event, Reply
from gateway.catalog import Deployment, Snapshot
from gateway.entry import at_bound
from gateway.errors import DeadlinePassed, GatewayError, NoProvider, ProviderCut, ProviderError
from gateway.patience import Patience
from gateway.ports import Answer, Clock, Relay, Transport
from gateway.retry import Effort, backoff
from gateway.steps.check import check_reply
from gateway.steps.route import Candidates, Usable
from gateway.tab import Tab, served_by
from gateway.ticker import Ticker
from gateway.wires import StreamReader, Translation, Wire, wire_for

_LAST_BOUNDARY = b"\n\n"
"""Some providers hang up right behind their last line."""
_BREAKERS_AT_MOST = 10_000
HEARD_OUT_WITHIN = 60.0
"""Seconds that a provider is listened to for its bill alone."""

TransportFor = Callable[[Deployment], Transport]
MakeBreaker = Callable[[], Breaker]


class Upstream:
    """The way to providers, with what is remembered of their health."""

    def __init__(
        self,
        *,
        transport_for: TransportFor,
        teller: Teller,
        clock: Clock,
        random: Random,
        effort: Effort,
        make_breaker: MakeBreaker = Breaker,
    ) -> None:
        self.transport_for = transport_for
        self.teller = teller
        self.clock = clock
        self.random = random
        self.effort = effort
        self.make_breaker = make_breaker
        self.breakers: dict[str, Breaker] = {}
        self.ticker = Ticker()

    async def answer(self, tab: Tab, usable: Usable, snapshot: Snapshot, relay: Relay | None) -> Reply:
        """The first good answer of the candidates."""
        candidates = Candidates(tab.model, snapshot, self.random, usable)
        failure: GatewayError | None = None
        while deployment := candidates.next() or await self._again(tab, candidates, failure):
            if not self._breaker(deployment).admits(self.clock.monotonic()):
                continue
            try:
                await self._cover(tab)
                return await self._attempt(tab, deployment, relay)
            except ProviderError as error:
                if tab.committed or not candidates.go_on(deployment, error):
                    raise
                failure = error
        raise failure or NoProvider()

    async def _again(
        self, tab: Tab, candidates: Candidates, failure: GatewayError | None
    ) -> Deployment | None:
        """Back to a deployment that failed before, after a pause, if attempts and time allow."""
        deployment = candidates.tried.pop(0) if candidates.tried else None
        if (
            deployment is None
            or failure is None
            or not failure.retryable
            or len(tab.attempts) >= self.effort.attempts
        ):
            return None
        pause = backoff(self.effort, len(tab.attempts) - 1, self.random.random(), failure)
        if pause > self.effort.longest_wait:
            return None
        limit = tab.call.origin.timeout or deployment.provider.timeouts.total
        if self.clock.monotonic() + pause - tab.call.started >= limit:
            return None
        await self.clock.sleep(pause)
        return deployment

    async def _cover(self, tab: Tab) -> None:
        """Before a further attempt, hold its cost too if one before it may have to be paid for."""
        if not tab.maybe_billed:
            return
        one = tab.attempt_amounts
        wider = Amounts(
            requests=one.requests,
            concurrency=one.concurrency,
            tokens=one.tokens * (tab.maybe_billed + 1),
            nano=one.nano * (tab.maybe_billed + 1),
        )
        skeleton = at_bound(tab.skeleton, wider.nano, attempts=tab.maybe_billed + 1)
        verdict = await self.teller.top_up(replace(tab.hold, amounts=wider, skeleton=skeleton))
        if verdict.refusal is not None:
            raise NoProvider("The call failed, and its budget does not allow another attempt.")

    async def _attempt(self, tab: Tab, deployment: Deployment, relay: Relay | None) -> Reply:
        wire = wire_for(tab.call.ask, deployment.provider)
        if wire is None:
            raise NoProvider
        if isinstance(wire, Translation):
            await self._translate(tab, wire, deployment)
        tab.reached = deployment
        breaker = self._breaker(deployment)
        began = self.clock.monotonic()
        try:
            reply = await self._exchange(tab, deployment, wire, relay)
        except ProviderError as error:
            if error.counts:
                breaker.failed(self.clock.monotonic())
            tab.maybe_billed += error.needs_cover
            self._note(tab, deployment, began, error.code, error.upstream_status, error.outcome_unknown)
            raise
        except DeadlinePassed as error:
            self._note(tab, deployment, began, error.code, None, unseen=True)
            raise
        except asyncio.CancelledError:
            self._note(tab, deployment, began, "caller_left", None, unseen=True)
            raise
        breaker.succeeded()
        tab.served = deployment
        self._note(tab, deployment, began, "ok", 200, unseen=False)
        return reply

    async def _translate(self, tab: Tab, wire: Translation, deployment: Deployment) -> None:
        """While nobody outside has heard of the attempt: what goes wrong here is never billed."""
        limit = tab.call.origin.timeout or deployment.provider.timeouts.total
        try:
            async with asyncio.timeout(tab.call.started + limit - self.clock.monotonic()):
                await wire.prepare(tab.call.ask, deployment, tab.model.max_output)
        except TimeoutError:
            raise DeadlinePassed from None

    async def _exchange(self, tab: Tab, deployment: Deployment, wire: Wire, relay: Relay | None) -> Reply:
        ask, timeouts = tab.call.ask, deployment.provider.timeouts
        request = wire.build_request(ask, deployment)
        deadline = tab.call.started + (tab.call.origin.timeout or timeouts.total)
        async with Patience(deadline, self.ticker) as patience:
            patience.expect(timeouts.connect + timeouts.first_byte)
            async with self.transport_for(deployment).open(request) as answer:
                if answer.status >= 300:
                    raise wire.read_failure(answer.status, answer.headers, await answer.read())
                if ask.stream and relay is not None:
                    return await self._relay(tab, deployment, wire, answer, patience, relay)
                patience.expect(timeouts.idle)
                body = await answer.read()
                if isinstance(wire, Translation):
                    reply = await wire.read(ask, answer.headers, body)
                else:
                    reply = wire.read_reply(ask, answer.headers, body)
        check_reply(reply)
        tab.usage, tab.service_tier = reply.usage, reply.service_tier
        tab.delivered.extend(reply.texts)
        return reply

    async def _relay(
        self, tab: Tab, deployment: Deployment, wire: Wire, answer: Answer, patience: Patience, relay: Relay
    ) -> Reply:
        reader = wire.open_stream(tab.call.ask)
        tab.delivered = reader.delivered
        kept: list[bytes] = []
        try:
            async for chunk in answer.chunks():
                patience.rest()
                await self._pass_on(tab, deployment, reader, tab.hear(reader, chunk), kept, relay)
                if reader.finished:
                    break
                patience.expect(deployment.provider.timeouts.idle)
        except asyncio.CancelledError:
            if deployment.provider.bills_to_end and not patience.ran_out:
                await _hear_out(tab, reader, answer, patience)
            raise
        if not _has_ended(reader):
            raise ProviderCut
        return Reply(
            status=200,
            content_type="text/event-stream",
            body=b"".join([*([] if tab.committed else kept), reader.tail]),
            usage=reader.usage,
        )

    async def _pass_on(
        self,
        tab: Tab,
        deployment: Deployment,
        reader: StreamReader,
        event: Event | None,
        kept: list[bytes],
        relay: Relay,
    ) -> None:
        if event is not None and not tab.committed:
            kept.append(event.data)
            event = await self._commit(tab, deployment, reader, kept, relay)
        if event is not None:
            await relay.send(event)
        if reader.failure is not None:
            raise reader.failure

    async def _commit(
        self, tab: Tab, deployment: Deployment, reader: StreamReader, kept: list[bytes], relay: Relay
    ) -> Event | None:
        """Nothing goes out before the first meaningful event; then everything kept so far does."""
        if not reader.meaningful:
            return None
        tab.committed = True
        tab.ttft = self.clock.monotonic() - tab.call.started
        await relay.start(served_by(tab, deployment))
        return Event(b"".join(kept))

    def _breaker(self, deployment: Deployment) -> Breaker:
        breaker = self.breakers.get(deployment.name)
        if breaker is None:
            if len(self.breakers) >= _BREAKERS_AT_MOST:  # a star lets callers invent names
                self.breakers = {name: one for name, one in self.breakers.items() if not one.is_well}
            breaker = self.breakers[deployment.name] = self.make_breaker()
        return breaker

    def _note(
        self, tab: Tab, deployment: Deployment, began: float, outcome: str, status: int | None, unseen: bool
    ) -> None:
        """List an attempt; one whose work nobody saw counts at its bound."""
        seconds = self.clock.monotonic() - began
        tab.upstream_seconds += seconds
        unseen = unseen and not tab.committed
        if unseen:
            tab.usage = None  # the bound stands for all of it
        tab.attempts.append(
            Attempt(
                deployment=deployment.name,
                outcome=outcome,
                milliseconds=round(seconds * 1000),
                status=status,
                unknown_nano=tab.attempt_amounts.nano if unseen else 0,
            )
        )


async def _hear_out(tab: Tab, reader: StreamReader, answer: Answer, patience: Patience) -> None:
    """The caller left, and the provider bills to the end all the same: hear for a while how much that is."""
    task = asyncio.current_task()
    if task is None or not tab.committed:
        return
    task.uncancel()  # the caller's leaving is told again when this is over
    patience.stop()
    with suppress(TimeoutError, ProviderError):
        async with asyncio.timeout(HEARD_OUT_WITHIN):
            async for chunk in answer.chunks():
                tab.hear(reader, chunk)
                if reader.finished or reader.failure is not None:
                    break


def _has_ended(reader: StreamReader) -> bool:
    if not reader.finished:
        reader.feed(_LAST_BOUNDARY)
    return reader.finished
