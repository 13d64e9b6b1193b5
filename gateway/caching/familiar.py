"""An ask that the cache answered, and so is asked again and again: it need not be read anew each time.

What was worked out of it holds for the next call as long as it was worked out of the very same: the caller as
it is known, the catalog, and what the caller says of the cache.
"""

from weakref import ref

from msgspec import Struct

from gateway.accounts import Account
from gateway.caching.plan import Plan
from gateway.call import Ask, CacheWish, Call
from gateway.catalog import Model, Snapshot
from gateway.principal import Principal
from gateway.tab import Tab


class _WorkedOut(Struct, frozen=True):
    snapshot: ref[Snapshot]
    """Not the catalog itself: one that is out of date need not be kept for this."""
    principal: Principal
    wish: CacheWish
    models: tuple[Model, ...]
    model: Model
    accounts: tuple[Account, ...]
    plan: Plan


class Familiar:
    """The ask as it was read, and what was worked out of it."""

    __slots__ = ("_known", "ask")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self._known: _WorkedOut | None = None

    def open_tab(self, call: Call, principal: Principal, snapshot: Snapshot, now: float) -> Tab | None:
        """The tab of a call that asks the same, if nothing has changed since."""
        known, origin = self._known, call.origin
        if known is None or known.principal is not principal or known.snapshot() is not snapshot:
            return None
        if origin.idempotency_key or origin.cache != known.wish:
            return None
        tab = Tab(call, principal, known.models, known.model, known.accounts, round(now * 1000))
        tab.plan = Plan(self.ask, known.plan.key, known.plan.terms)
        return tab

    def answered(self, tab: Tab, snapshot: Snapshot) -> None:
        """The cache answered a call that asks this."""
        ask, plan = tab.call.ask, tab.plan
        if ask is not self.ask or plan is None or ask.end_user:  # who may have been blocked by the next time
            return
        known = self._known
        if known is None or known.principal is not tab.principal or known.snapshot() is not snapshot:
            wish, principal = tab.call.origin.cache, tab.principal
            self._known = _WorkedOut(
                ref(snapshot), principal, wish, tab.models, tab.model, tab.accounts, plan
            )
