"""Step 6: candidates in turn until one answers, or until nothing more may be tried.

An answer is committed with its first meaningful event. Until then another deployment may take over;
after it a failure is the caller's to see.
"""

import asyncio
from collections.abc import Callable
from random import Random

from gateway.batching import Teller
from gateway.beginnings import beginning_of
from gateway.breakers import Board
from gateway.call import Ask, Reply
from gateway.catalog import Deployment, Snapshot
from gateway.entrance import Entrance, needs_place
from gateway.errors import (
    BooksAway,
    DeadlinePassed,
    GatewayError,
    NoProvider,
    ProviderError,
    Untranslatable,
)
from gateway.hedging import Try, hedged
from gateway.hints import hinted
from gateway.ports import Clock, Relay, Transport, Turnstile
from gateway.repair import Checker
from gateway.retry import Effort, backoff
from gateway.steps.route import Candidates, Usable
from gateway.strategies import Facts
from gateway.tab import Tab
from gateway.ticker import Ticker
from gateway.trial import Trial
from gateway.turns import QuotaUsedUp
from gateway.vitals import Vitals
from gateway.wires import Translation, wire_for

TransportFor = Callable[[Deployment], Transport]


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
        board: Board,
        turnstile: Turnstile,
    ) -> None:
        self.transport_for = transport_for
        self.teller = teller
        self.clock = clock
        self.random = random
        self.effort = effort
        self.board = board
        self.entrance = Entrance(turnstile, clock)
        self.vitals = Vitals()
        self.checker = Checker(teller)
        self.ticker = Ticker()

    async def answer(self, tab: Tab, usable: Usable, snapshot: Snapshot, relay: Relay | None) -> Reply:
        """The first good answer of the candidates."""
        candidates = Candidates(tab, snapshot, lambda: self._facts(tab), usable)
        failure: GatewayError | None = None
        while deployment := candidates.next() or await self._again(tab, candidates, failure):
            if not (self.board.is_clear(deployment) or await self._lets_through(tab, deployment)):
                continue
            try:
                if tab.maybe_billed:
                    await self._cover(tab, others=tab.maybe_billed)
                one_try = self._hedged if tab.model.hedge and tab.may_top_up else self._attempt
                reply = await one_try(tab, deployment, candidates, relay)
                if tab.principal.policy.checks.level == "off":
                    return reply
                return await self.checker.checked_reply(
                    tab, reply, lambda one: self._attempt(tab, one, candidates, relay)
                )
            except (ProviderError, QuotaUsedUp, Untranslatable) as error:
                if tab.committed or not candidates.go_on(deployment, error):
                    raise
                failure = candidates.worse(failure, error)
        raise failure or NoProvider()

    def _facts(self, tab: Tab) -> Facts:
        return Facts(
            ask=tab.call.ask,
            principal=tab.principal,
            now_ms=tab.at_ms,
            look=self.vitals.look,
            random=self.random,
        )

    async def _again(
        self, tab: Tab, candidates: Candidates, failure: GatewayError | None
    ) -> Deployment | None:
        """Back to a deployment that was full, to wait there; or to one that failed, after a pause."""
        if candidates.full and tab.begin_to_wait(self.clock.monotonic()) > 0:
            tab.may_wait = True
            return candidates.full.pop(0)
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
        limit = tab.call.origin.timeout or deployment.timeouts.total
        if self.clock.monotonic() + pause - tab.call.started >= limit:
            return None
        await self.clock.sleep(pause)
        return deployment

    async def _cover(self, tab: Tab, *, others: int) -> None:
        """Before a further attempt, hold its cost beside that of others which may have to be paid for."""
        if not tab.may_top_up:
            raise NoProvider
        one, count = tab.attempt_amounts, others + 1
        wider = tab.wider_hold(tokens=one.tokens * count, nano=one.nano * count, attempts=count)
        verdict = await self.teller.top_up(wider)
        if verdict.refusal is not None:
            tab.note("not_covered", verdict.refusal.account.told)
            raise NoProvider("The call failed, and its budget does not allow another attempt.")

    async def _hedged(
        self, tab: Tab, deployment: Deployment, candidates: Candidates, relay: Relay | None
    ) -> Reply:
        """One attempt; or two at once, where the first takes longer than most of them."""
        seconds = self.vitals.mostly_within(deployment, tab.call.ask.stream)
        first = self._attempt(tab, deployment, candidates, relay)
        if seconds is None:
            return await first

        async def spare() -> Try | None:
            while second := candidates.spare():
                if self.board.is_clear(second) or await self._lets_through(tab, second):
                    break
            else:
                return None
            try:
                await self._cover(tab, others=tab.maybe_billed + 1)
            except (NoProvider, BooksAway):
                return None
            tab.note("hedged", second.name, f"after {seconds * 1000:.0f} ms")
            return self._second(tab, second, candidates, relay)

        return await hedged(tab, first, spare, seconds=seconds, clock=self.clock)

    async def _second(
        self, tab: Tab, deployment: Deployment, candidates: Candidates, relay: Relay | None
    ) -> Reply:
        try:
            return await self._attempt(tab, deployment, candidates, relay)
        except (ProviderError, QuotaUsedUp, Untranslatable) as error:
            candidates.go_on(deployment, error)
            raise

    def _attempt(self, tab: Tab, deployment: Deployment, candidates: Candidates, relay: Relay | None) -> Try:
        """One try, in a place where one is needed."""
        if needs_place(deployment):
            return self._placed(tab, deployment, candidates, relay)
        return self._send(tab, deployment, deployment, relay)

    async def _placed(
        self, tab: Tab, deployment: Deployment, candidates: Candidates, relay: Relay | None
    ) -> Reply:
        place = await self.entrance.enter(tab, deployment)
        before, tokens = len(tab.attempts), tab.attempt_amounts.tokens
        try:
            reply = await self._send(tab, deployment, place.deployment, relay)
            tokens = reply.usage.tokens if reply.usage is not None else tokens
            return reply
        except ProviderError as error:
            tokens = tokens if error.needs_cover else 0
            if self.entrance.heard(tab, place, error) and self._bears_another(tab, deployment):
                candidates.again_at_once(deployment)
            raise
        finally:
            self.entrance.leave(place, tokens if len(tab.attempts) > before else 0)

    def _bears_another(self, tab: Tab, deployment: Deployment) -> bool:
        """Whether another key may be tried at once: each is, once; beyond that only within the effort."""
        tries = sum(one.deployment == deployment.name for one in tab.attempts)
        return tries < len(deployment.provider.keys) or len(tab.attempts) < self.effort.attempts

    async def _send(self, tab: Tab, deployment: Deployment, opened: Deployment, relay: Relay | None) -> Reply:
        """One try, with the key that opens; its breaker hears of it, and who chooses among several."""
        ask, wire = tab.call.ask, wire_for(tab.call.ask, deployment.provider)
        if wire is None:
            raise NoProvider
        if tab.principal.policy.prompt_cache != "off":
            ask = hinted(ask, deployment, tab.principal, lambda: beginning_of(ask))
        if isinstance(wire, Translation):
            await self._translate(tab, wire, ask, opened)
        request = wire.build_request(ask, opened)
        trial = Trial(
            tab=tab,
            deployment=deployment,
            wire=wire,
            request=request,
            clock=self.clock,
            ticker=self.ticker,
            began=self.clock.monotonic(),
        )
        vital = self.vitals.note_start(deployment) if len(tab.model.deployments) > 1 else None
        try:
            reply = await trial.run(self.transport_for(deployment), relay)
        except ProviderError as error:
            if error.counts:
                self.board.failed(deployment, error.code)
            raise
        finally:
            if vital is not None:
                seconds = trial.seconds if trial.is_whole else None
                missed = trial.has_missed
                vital.note_end(seconds, stream=ask.stream, first_byte=trial.first_byte, missed=missed)
        self.board.succeeded(deployment)
        return reply

    async def _lets_through(self, tab: Tab, deployment: Deployment) -> bool:
        if await self.board.lets_through(deployment):
            return True
        tab.note("skipped", deployment.name, "breaker_open")
        return False

    async def _translate(self, tab: Tab, wire: Translation, ask: Ask, deployment: Deployment) -> None:
        """While nobody outside has heard of the attempt: what goes wrong here is never billed."""
        limit = tab.call.origin.timeout or deployment.timeouts.total
        try:
            async with asyncio.timeout(tab.call.started + limit - self.clock.monotonic()):
                await wire.prepare(ask, deployment, tab.model.max_output)
        except TimeoutError:
            raise DeadlinePassed from None
