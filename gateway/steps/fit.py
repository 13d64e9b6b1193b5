"""Step 2 once more: a call whose worst case did not fit is made smaller, where that is honest.

Its prompt is counted properly, for its bytes are more than its tokens. Where the tenant's policy says
so, the answer is cut to what the budget affords, and the provider is told that maximum.
"""

from collections.abc import Mapping

from msgspec import Raw
from msgspec.structs import replace

from gateway.accounts import LARGEST_AMOUNT, Hold, Refusal, Verdict
from gateway.batching import Teller
from gateway.bounds import Bound, Extent, bound_of
from gateway.call import Ask
from gateway.catalog import Model
from gateway.entry import at_bound
from gateway.extents import extent_of
from gateway.members import join_members
from gateway.steps.admit import amounts_of
from gateway.tab import Tab
from gateway.tokens import TokenCounter
from gateway.worst import NOTHING

SHORTEST_ANSWER = 16
"""Tokens: an answer that would be cut shorter is refused instead."""

_LONGEST_ANSWER = 1 << 20
_TRIES = 4
"""A second budget may be tighter than the first that refused."""

_MAXIMA = ("max_completion_tokens", "max_output_tokens", "max_tokens")

Models = tuple[Model, ...]


async def admit_smaller(
    tab: Tab, models: Models, verdict: Verdict, *, teller: Teller, counter: TokenCounter
) -> Verdict:
    """Ask the books again with as much less as may help; the verdict that stands."""
    ask, counted = tab.call.ask, NOTHING
    for _ in range(_TRIES):
        refusal = verdict.refusal
        if refusal is None or refusal.account.unit not in ("tokens", "nano"):
            break
        counted = counted or await counter.most(ask.body, worth_counting(tab, ask, models, refusal))
        hold, most = tightened(tab, ask, models, refusal, counted), None
        if hold is None:
            hold, most = clamped(tab, ask, models, refusal, counted)
        if hold is None:
            break
        tab.hold = hold
        tab.note(*_made_smaller(refusal, most))
        if most is not None:
            tab.call = replace(tab.call, ask=with_maximum(ask, most))
        verdict = await teller.admit(hold)
    return verdict


def _made_smaller(refusal: Refusal, most: int | None) -> tuple[str, str, str]:
    """What was done about an account that would have refused."""
    if most is None:
        return "counted", refusal.account.told, ""
    return "clamped", refusal.account.told, f"{most} tokens"


def worth_counting(tab: Tab, ask: Ask, models: Models, refusal: Refusal) -> frozenset[str]:
    """The vocabularies to count the prompt in; none where not even an empty prompt would fit."""
    names = frozenset(model.vocabulary for model in models if model.vocabulary)
    extent = extent_of(ask)
    if _may_clamp(tab, refusal):
        extent = replace(extent, answer=SHORTEST_ANSWER)
    least = _bound(tab, extent, models, dict.fromkeys(names, 0))
    return names if _fits(least, refusal) else frozenset()


def tightened(
    tab: Tab, ask: Ask, models: Models, refusal: Refusal, counted: Mapping[str, int]
) -> Hold | None:
    """The hold of the same call by its counted prompt; None if that does not fit either."""
    bound = _bound(tab, extent_of(ask), models, counted)
    return _resized(tab.hold, bound) if _fits(bound, refusal) else None


def clamped(
    tab: Tab, ask: Ask, models: Models, refusal: Refusal, counted: Mapping[str, int]
) -> tuple[Hold | None, int | None]:
    """The hold with the longest answer that fits, and its length; None if even the shortest does not."""
    hold, longest = None, None
    extent = extent_of(ask)
    low, high = SHORTEST_ANSWER, ask.max_output or tab.model.max_output or _LONGEST_ANSWER
    while low <= high and _may_clamp(tab, refusal):
        middle = (low + high) // 2
        bound = _bound(tab, replace(extent, answer=middle), models, counted)
        if _fits(bound, refusal):
            hold, longest, low = _resized(tab.hold, bound), middle, middle + 1
        else:
            high = middle - 1
    return hold, longest


def with_maximum(ask: Ask, tokens: int) -> Ask:
    """The ask with this as the most that its answer may have, under the name that its caller used for it."""
    named = [name for name in _MAXIMA if name in ask.members]
    if not named:
        named = [
            "max_tokens" if "messages" in ask.members or "prompt" in ask.members else "max_output_tokens"
        ]
    members = {**ask.members, **dict.fromkeys(named, Raw(b"%d" % tokens))}
    return replace(ask, body=join_members(members), members=members, max_output=tokens)


def _may_clamp(tab: Tab, refusal: Refusal) -> bool:
    allowed = tab.principal.policy.over_budget == "clamp"
    return allowed and refusal.account.unit == "nano" and tab.call.ask.kind == "chat"


def _bound(tab: Tab, extent: Extent, models: Models, counted: Mapping[str, int]) -> Bound:
    return bound_of(extent, models, tab.principal.terms, tab.at_ms, counted)


def _fits(bound: Bound, refusal: Refusal) -> bool:
    if refusal.account.unit == "nano":
        return bound.charge_nano is not None and bound.charge_nano <= refusal.remaining
    return amounts_of(bound, 0).tokens <= refusal.remaining


def _resized(hold: Hold, bound: Bound) -> Hold:
    nano = min(bound.charge_nano or 0, LARGEST_AMOUNT)
    return replace(hold, amounts=amounts_of(bound, nano), skeleton=at_bound(hold.skeleton, nano))
