"""An answer that is not what was asked for is asked for once more, of the same model, and then given up.

What was said in vain was paid for all the same: it is booked with what it came to, and the further
attempt is held on the accounts before it is made.
"""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from gateway.accounts import LARGEST_AMOUNT
from gateway.batching import Teller
from gateway.bounds import bound_of
from gateway.call import Ask, Reply
from gateway.catalog import Deployment
from gateway.errors import ProviderError, Untranslatable
from gateway.extents import extent_of
from gateway.members import join_members
from gateway.principal import Checks
from gateway.steps.admit import amounts_of
from gateway.steps.check import AnswerInvalid, Problem, asked_again, is_checked, problem_of
from gateway.tab import Spoiled, Tab
from gateway.turns import QuotaUsedUp

_LONG = 256 * 1024
"""Bytes that are looked through off the loop."""

Attempt = Callable[[Deployment], Awaitable[Reply]]


class Checker:
    """Looks at answers where a policy asks for it, and counts what it saw."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self.checked = 0
        self.repaired = 0
        self.refused = 0

    async def checked_reply(self, tab: Tab, reply: Reply, attempt: Attempt) -> Reply:
        """A reply as it was asked for, or `AnswerInvalid`."""
        ask, checks, deployment = tab.call.ask, tab.principal.policy.checks, tab.served
        if not is_checked(ask) or deployment is None:
            return reply
        self.checked += 1
        problem = await _problem(ask, reply, checks)
        if problem is None:
            return reply
        again = replace(ask, **_again(ask, problem))
        if not (checks.repairs and problem.mends and await self._bears(tab, again)):
            raise self._refusal(tab, problem)
        _spoil(tab)
        tab.call = replace(tab.call, ask=again)
        try:
            reply = await attempt(deployment)
        except (ProviderError, QuotaUsedUp, Untranslatable) as error:
            raise self._refusal(tab, problem) from error
        finally:
            tab.call = replace(tab.call, ask=ask)
        problem = await _problem(ask, reply, checks)
        if problem is not None:
            raise self._refusal(tab, problem)
        self.repaired += 1
        return reply

    def _refusal(self, tab: Tab, problem: Problem) -> AnswerInvalid:
        self.refused += 1
        _mark(tab)
        return AnswerInvalid(f"The answer is not what was asked for: {problem.told}.")

    async def _bears(self, tab: Tab, again: Ask) -> bool:
        """Hold what the further attempt can cost, beside all before it; whether the accounts bear that."""
        if not tab.may_top_up:
            return False
        bound = bound_of(extent_of(again), tab.models, tab.principal.terms, tab.at_ms)
        more = amounts_of(bound, min(bound.charge_nano or 0, LARGEST_AMOUNT))
        one, others = tab.attempt_amounts, tab.maybe_billed + 1
        wider = tab.wider_hold(
            tokens=one.tokens * others + more.tokens,
            nano=one.nano * others + more.nano,
            attempts=others + 1,
        )
        verdict = await self._teller.top_up(wider)
        return verdict.refusal is None


async def _problem(ask: Ask, reply: Reply, checks: Checks) -> Problem | None:
    """Schemas, and what is long, keep nobody else waiting."""
    if "response_format" in ask.members or len(reply.body) > _LONG:
        return await asyncio.to_thread(problem_of, ask, reply.body, checks)
    return problem_of(ask, reply.body, checks)


def _again(ask: Ask, problem: Problem) -> dict[str, object]:
    members = asked_again(ask.members, problem)
    return {"members": members, "body": ask.body if members is ask.members else join_members(members)}


def _spoil(tab: Tab) -> None:
    """The answer is nobody's: what it came to is remembered, and the call is as if it had none yet."""
    usage = tab.usage
    known = usage is not None and not usage.doubtful
    _mark(tab, unknown_nano=0 if known else tab.attempt_amounts.nano)
    if usage is not None and known:
        tab.spoiled = Spoiled(usage, tab.service_tier)
    tab.maybe_billed += 1
    tab.served = tab.usage = tab.winner = None
    tab.service_tier, tab.delivered = "", []


def _mark(tab: Tab, *, unknown_nano: int = 0) -> None:
    """In the list of attempts the last good one was not good."""
    for turn in range(len(tab.attempts) - 1, -1, -1):
        one = tab.attempts[turn]
        if one.outcome == "ok":
            tab.attempts[turn] = replace(one, outcome=AnswerInvalid.code, unknown_nano=unknown_nano)
            return
