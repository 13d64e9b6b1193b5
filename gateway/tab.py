"""What is noted of one call while it runs; its ledger entry is written from it."""

import math
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.accounts import LARGEST_AMOUNT, Account, Amounts, Hold, Refusal
from gateway.caching.plan import Plan
from gateway.call import Attempt, Call, Rate, Reply, Served, Usage
from gateway.catalog import Deployment, Model
from gateway.entry import Entry, at_bound
from gateway.once import Recording
from gateway.principal import Principal

if TYPE_CHECKING:
    import asyncio

    from gateway.flights import Seat
    from gateway.trial import Trial

LEAST_SECONDS = 5.0
"""A call that no provider heard of has this long; the ledger has it whatever is left of the call's time."""

_OURSELVES = "gateway"


class Spoiled(Struct, frozen=True, gc=False):
    """What an answer came to that was not what was asked for."""

    usage: Usage
    service_tier: str


class Tab(Struct, eq=False):
    """The open tab of a call: what it may use, what happened, what it came to."""

    call: Call
    principal: Principal
    models: tuple[Model, ...]
    """All that may come to answer, fallbacks too."""
    model: Model
    accounts: tuple[Account, ...]
    at_ms: int
    """When it was admitted, by the calendar."""
    end_user_id: UUID | None = None
    hold: Hold = None  # type: ignore[assignment]  # known when no kept answer was found, before all else
    attempts: list[Attempt] = []
    reached: Deployment | None = None
    """The deployment that the current attempt's request went to."""
    served: Deployment | None = None
    """The deployment that answered."""
    usage: Usage | None = None
    service_tier: str = ""
    """The class of service that the provider says it gave, which has prices of its own."""
    spoiled: Spoiled | None = None
    """The answer before it, which was of no use and is paid for too; who served it serves this one."""
    delivered: list[str] = []
    committed: bool = False
    """The caller has been sent something: no failover any more."""
    may_top_up: bool = True
    """Its hold is its own, and may be raised for a further attempt."""
    maybe_billed: int = 0
    """Attempts so far that the provider may bill, answered or not."""
    reply: Reply | None = None
    """What the caller gets, once it is known."""
    recording: Recording | None = None
    """What the caller was sent, where it is to be told again."""
    cache: Literal["hit", "miss", "bypass", "shared"] = "bypass"
    """What part the cache has in it."""
    plan: Plan | None = None
    """What the cache is asked, where it is."""
    is_paid_for: bool = False
    """Another call has paid for the answer."""
    entry: Entry | None = None
    """What it came to, once the books know."""
    seat: "Seat | None" = None
    """Its place in a call of the provider that others may share."""
    rates: tuple[Rate, ...] = ()
    winner: "Trial | None" = None
    """The try that has something for the caller: it alone tells what the call came to."""
    racing: "set[asyncio.Future[Reply]]" = set()
    """The tries under way, where there is more than one."""
    may_wait: bool = False
    """All deployments are full: it may wait at one."""
    waits_until: float | None = None
    """Until when it may wait for places, once it has begun to."""
    waited: float = 0.0
    """Seconds that it did."""
    position: int = 0
    """The furthest back that it stood in a line."""
    candidates: list[str] = []
    """The deployments in the order in which they were to be tried, as far as there was a choice."""
    notes: list[tuple[str, str, str]] = []
    """What was decided that its attempts do not tell: what, where and why."""
    bypass: str = ""
    """Why the policy gives the cache no part in it."""
    ttft: float | None = None
    upstream_seconds: float = 0.0

    def note(self, what: str, where: str, why: str = "") -> None:
        """Remember a decision, for whoever asks why the call went as it did."""
        self.notes.append((what, where, why))

    def note_refused(self, refusal: Refusal) -> None:
        """One of its accounts said no."""
        self.note("refused", refusal.account.told, f"retry after {refusal.retry_ms} ms")

    def note_let_in(self) -> None:
        """It is made though the books do not know of it."""
        self.note("let_in", "books", "books_unavailable")

    def note_wait(self, where: str, seconds: float) -> None:
        """It waited for so long, if it did."""
        self.waited += seconds
        if seconds > 0:
            self.note("waited", where, f"{round(seconds * 1000)} ms")

    def begin_to_wait(self, monotonic: float) -> float:
        """How long the call may still wait for places: its time begins with the first wait."""
        if self.waits_until is None:
            self.waits_until = monotonic + self.principal.policy.queue_seconds
        left = self.call.started + (self.call.origin.timeout or math.inf) - monotonic
        return min(self.waits_until - monotonic, left)

    def see_position(self, position: int) -> None:
        """It stands in a line, so far back."""
        self.position = max(self.position, position)

    @property
    def priority(self) -> int:
        """Among its tenant's calls that wait: the call's own, else its key's."""
        asked = self.call.origin.priority
        return self.principal.priority if asked is None else asked

    def seconds_left(self, monotonic: float) -> float:
        """What is left of the call's time; below 0 once it is over."""
        deployment = self.served or self.reached
        total = deployment.timeouts.total if deployment else LEAST_SECONDS
        return self.call.started + (self.call.origin.timeout or total) - monotonic

    def seconds_to_commit(self, monotonic: float) -> float:
        """How long its answer may wait for the ledger."""
        return max(LEAST_SECONDS, self.seconds_left(monotonic))

    def wider_hold(self, *, tokens: int, nano: int, attempts: int) -> Hold:
        """Its hold, raised so that it covers further attempts beside those that may have to be paid for."""
        one, nano = self.attempt_amounts, min(nano, LARGEST_AMOUNT)
        wider = Amounts(requests=one.requests, concurrency=one.concurrency, tokens=tokens, nano=nano)
        return replace(self.hold, amounts=wider, skeleton=at_bound(self.skeleton, nano, attempts=attempts))

    @property
    def skeleton(self) -> Entry:
        """The entry as it would be if nobody settled."""
        return self.hold.skeleton

    @property
    def attempt_amounts(self) -> Amounts:
        """What one attempt can take: the hold of the first."""
        return self.hold.amounts


def served_by(tab: Tab, deployment: Deployment | None) -> Served:
    """Who answers, in the caller's words; without a deployment we counted ourselves."""
    if deployment is None:
        return _served(tab, _OURSELVES, _OURSELVES)
    return _served(tab, deployment.provider.name, deployment.name)


def failed_at(tab: Tab) -> Served:
    """Who was asked last, if anybody was."""
    deployment = tab.reached
    return _served(tab, deployment.provider.name, deployment.name) if deployment else _served(tab, "", "")


def _served(tab: Tab, provider: str, deployment: str) -> Served:
    return Served(
        provider=provider,
        deployment=deployment,
        model=tab.model.name,
        cache=tab.cache,
        rates=tab.rates,
        position=tab.position,
        waited_ms=round(tab.waited * 1000) if tab.waited else 0,
    )
