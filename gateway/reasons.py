"""Why calls went as they did: what the ledger does not tell of them, kept for a while by this process.

Those that were refused, failed or went another way than usual have a ring of their own, so that the many
whose deployments were merely put in order do not push them out. Calls of which their entry tells all are not
kept.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable
from heapq import nlargest
from itertools import chain
from uuid import UUID

from msgspec import Struct

from gateway.call import Attempt, Call, Reply
from gateway.errors import GatewayError, RevisionMoved
from gateway.once import REFUSALS, ClaimTaken
from gateway.ports import Clock
from gateway.principal import Principal
from gateway.tab import Tab

KEPT_AT_MOST = 5_000
"""Calls, in either ring."""
KEPT_SECONDS = 3_600.0
FOUND_AT_MOST = 20
"""Calls that one request id may lead to: callers choose such ids, and may choose the same again and again."""

LONGEST_NAME = 200
"""Characters of a model's name: no caller says here how much is kept."""

_USUAL = frozenset({"ordered", "left_out", "cache"})
"""What is decided of calls that go as they should."""
_LEFT = "caller_left"
_TOLD_AGAIN = 200

Note = tuple[str, str, str]


class Reasons(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one call beside its entry; nothing of what was asked or answered."""

    call_id: UUID
    request_id: str
    at_ms: int
    tenant_id: UUID
    tenant: str
    key: str
    model_asked: str
    model: str = ""
    status: int | None = None
    """As it was answered; None where nobody was there any more."""
    code: str = ""
    """What went wrong."""
    candidates: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    waited_ms: int = 0
    position: int = 0
    cache: str = "bypass"

    @property
    def is_unusual(self) -> bool:
        """Whether it went another way than most."""
        return bool(self.code or self.waited_ms or [one for one in self.notes if one[0] not in _USUAL])


class Testimony(Struct, frozen=True, kw_only=True):
    """What processes know of a request id, the newest first."""

    found: tuple[Reasons, ...] = ()
    is_whole: bool = True
    """All processes were heard."""


class Recent:
    """The latest reasons of a process."""

    def __init__(self, clock: Clock, *, most: int = KEPT_AT_MOST, seconds: float = KEPT_SECONDS) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._usual: _Ring = OrderedDict()
        self._unusual: _Ring = OrderedDict()

    def __len__(self) -> int:
        return len(self._usual) + len(self._unusual)

    def answered(self, tab: Tab, reply: Reply) -> None:
        """A call was answered of which there is something to say."""
        self.keep(_reasons(self._clock, tab.call, tab.principal, tab, reply.status, ""))

    def ended(self, call: Call, principal: Principal, tab: Tab | None, error: BaseException) -> None:
        """A call was not answered; without a tab it was refused before its accounts were known."""
        end = _end_of(error)
        if end is not None:
            self.keep(_reasons(self._clock, call, principal, tab, *end))

    def keep(self, reasons: Reasons) -> None:
        """Keep the reasons of one call, in the place of what is kept of it already."""
        name = reasons.call_id.int
        self._usual.pop(name, None)
        self._unusual.pop(name, None)
        ring = self._unusual if reasons.is_unusual else self._usual
        now = self._clock.monotonic()
        ring[name] = now, reasons
        self._forget(ring, now)

    def find(self, request_id: str, tenants: Collection[UUID] | None = None) -> list[Reasons]:
        """The newest calls of a request id, the newest first: of these tenants, or of all."""
        now = self._clock.monotonic()
        self._forget(self._usual, now)
        self._forget(self._unusual, now)
        kept = chain(self._usual.values(), self._unusual.values())
        known = [one for _, one in kept if one.request_id == request_id]
        return newest(one for one in known if tenants is None or one.tenant_id in tenants)

    def _forget(self, ring: "_Ring", now: float) -> None:
        """Drop what is too old or too much."""
        while ring:
            kept_at, _ = next(iter(ring.values()))
            if len(ring) <= self._most and now - kept_at < self._seconds:
                break
            ring.popitem(last=False)


_Ring = OrderedDict[int, tuple[float, Reasons]]
"""By the numbers of their ids, which are looked up faster than the ids themselves."""


class OneProcess:
    """Asks this process alone."""

    def __init__(self, recent: Recent) -> None:
        self._recent = recent

    async def find(self, request_id: str, tenants: Collection[UUID] | None) -> Testimony:
        """What it knows."""
        return Testimony(found=tuple(self._recent.find(request_id, tenants)))

    async def listen(self) -> None:
        """Nobody else asks."""

    async def close(self) -> None:
        """There is nothing to let go of."""


def newest(found: Iterable[Reasons]) -> list[Reasons]:
    """The newest of these, the newest first."""
    return nlargest(FOUND_AT_MOST, found, key=lambda one: one.call_id)


def _end_of(error: BaseException) -> tuple[int | None, str] | None:
    """Status and code; None where the call is only begun anew."""
    match error:
        case RevisionMoved():
            return None
        case ClaimTaken():
            refusal = REFUSALS.get(error.claimed.state)
            return (_TOLD_AGAIN, "") if refusal is None else (refusal.status, refusal.code)
        case GatewayError():
            return error.status, error.code
        case asyncio.CancelledError():
            return None, _LEFT
        case _:
            return GatewayError.status, GatewayError.code


def _reasons(
    clock: Clock, call: Call, principal: Principal, tab: Tab | None, status: int | None, code: str
) -> Reasons:
    notes = () if tab is None else tuple(tab.notes)
    if tab is not None and tab.bypass and tab.attempts:
        notes += (("cache", "bypass", tab.bypass),)
    return Reasons(
        call_id=call.id,
        request_id=call.origin.request_id,
        at_ms=round(clock.now() * 1000) if tab is None else tab.at_ms,
        tenant_id=principal.tenant_id,
        tenant=principal.tenant,
        key=principal.key,
        model_asked=call.ask.model[:LONGEST_NAME],
        status=status,
        code=code,
        model="" if tab is None else tab.model.name,
        candidates=() if tab is None else tuple(tab.candidates),
        notes=notes,
        attempts=() if tab is None else tuple(tab.attempts),
        waited_ms=0 if tab is None else round(tab.waited * 1000),
        position=0 if tab is None else tab.position,
        cache="bypass" if tab is None else tab.cache,
    )
