"""The arithmetic of the books: who may still spend what. No I/O; stores persist what it returns.

A counter knows what is spent and what open holds set aside beside it. Counters are keyed by account
and window start, and a settle spends in the windows named in its hold, so that a window that turned
in between is not charged for its predecessor.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from operator import sub
from uuid import UUID

from msgspec import Struct
from msgspec.structs import astuple, replace

from gateway.accounts import Account, Amounts, Hold, Refusal, Settlement, Unit, Verdict
from gateway.call import Rate
from gateway.entry import Entry, correct_entry
from gateway.windows import window_bounds

LATE_SETTLE_MS = 86_400_000
"""How long a swept hold is remembered, so that a late settle corrects its entry instead of adding one."""

_CONCURRENCY_RETRY_MS = 1_000


class Share(Struct, frozen=True, array_like=True, gc=False):
    """Where a hold sits: an account's counter in one window, and the unit it counts."""

    account: str
    start_ms: int
    ends_ms: int
    unit: Unit


class Counter:
    """What an account has spent and holds in one window."""

    __slots__ = ("ends_ms", "held", "share", "spent")

    def __init__(self, share: Share, spent: int = 0) -> None:
        self.share = share
        self.ends_ms = share.ends_ms
        self.spent = spent
        self.held = 0


class Held(Struct, array_like=True, gc=False):
    """An open hold, in the form in which stores keep it."""

    id: UUID
    lease_until_ms: int
    amounts: Amounts
    shares: tuple[Share, ...]
    skeleton: Entry


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """The entry that a settle journals; not `known` when no hold vouches that it is the first."""

    entry: Entry
    known: bool


_Places = list[tuple[Account, Counter]]


class Tally:
    """Counters and open holds of one store."""

    def __init__(self, *, lease_ms: int = 60_000) -> None:
        self.lease_ms = lease_ms
        self.holds: dict[UUID, Held] = {}
        self.swept: dict[UUID, Held] = {}
        self.dirty: set[Counter] = set()
        """Counters whose spending a store has not written yet."""
        self.counters: dict[tuple[str, int], Counter] = {}
        self.current: dict[str, Counter] = {}
        self.cooling: dict[str, int] = {}
        self._bounds: dict[tuple[str, str], tuple[int, int]] = {}

    def admit(self, hold: Hold, now_ms: int) -> Verdict:
        """Set the hold's amounts aside on all its accounts, or on none."""
        if self.swept and hold.id in self.swept and hold.accounts:
            return Verdict(refusal=Refusal(account=hold.accounts[0], retry_ms=_CONCURRENCY_RETRY_MS))
        known = self.holds.get(hold.id)
        places = self._places(hold, known, now_ms)
        if isinstance(places, Refusal):
            return Verdict(refusal=places)
        if known is None:
            self._open(hold, places, now_ms)
        else:
            self._raise(known, hold)
        return Verdict(rates=_rates(places, now_ms))

    def take(self, order: Settlement, now_ms: int) -> tuple[Verdict, Held | None]:
        """Spend at once what a call came to that nothing was held for; and what stands for its hold."""
        hold = order.hold
        places = self._places(hold, None, now_ms)
        if isinstance(places, Refusal):
            return Verdict(refusal=places), None
        nano = order.entry.charge_nano
        self.spend(hold, Amounts(requests=hold.amounts.requests, tokens=order.tokens, nano=nano), now_ms)
        shares = tuple([counter.share for _, counter in places])
        held = Held(hold.id, now_ms + self.lease_ms, hold.amounts, shares, order.entry)
        return Verdict(rates=_rates(places, now_ms)), held

    def _places(self, hold: Hold, known: Held | None, now_ms: int) -> _Places | Refusal:
        """The counters that can bear a hold, or the account that cannot."""
        current: Mapping[str, Counter] = self.current
        amounts, cooling = hold.amounts, self.cooling
        if known is not None:  # it stays where it sits, and takes what it has not yet
            current = ChainMap({share.account: self._at(share) for share in known.shares}, self.current)
            amounts = Amounts(*map(sub, astuple(amounts), astuple(known.amounts)))
        places = []
        for account in hold.accounts:
            counter = current.get(account.id)
            if counter is None or (counter.ends_ms <= now_ms and known is None):
                counter = self._turn(account, now_ms)
            more = getattr(amounts, account.unit)
            if counter.spent + counter.held + more > account.limit or cooling:
                refusal = self._refuse(account, counter, more, known is not None, now_ms)
                if refusal is not None:
                    return refusal
            places.append((account, counter))
        return places

    def renew(self, identifier: UUID, now_ms: int) -> Held | None:
        """Extend the lease of an open hold."""
        held = self.holds.get(identifier)
        if held is not None:
            held.lease_until_ms = now_ms + self.lease_ms
        return held

    def settle(self, settlement: Settlement, now_ms: int) -> Settled:
        """Spend what was used and give back the rest of the hold; the entry to journal, if any is due."""
        entry = settlement.entry
        if self.close(entry.id, tokens=settlement.tokens, nano=entry.charge_nano):
            return Settled(entry=entry, known=True)
        swept = self.swept.pop(entry.id, None)
        if swept is None:
            return Settled(entry=entry, known=False)
        correction = correct_entry(swept.skeleton, entry, now_ms)
        difference = Amounts(tokens=settlement.tokens - swept.amounts.tokens, nano=correction.charge_nano)
        self._respend(swept, difference)
        return Settled(entry=correction, known=True)

    def _respend(self, swept: Held, difference: Amounts) -> None:
        """A correction belongs to the windows of its call: given back in another, it could be spent twice."""
        for share in swept.shares:
            counter = self.counters.get((share.account, share.start_ms))
            if counter is not None:
                counter.spent += getattr(difference, share.unit)
                self.dirty.add(counter)

    def close(self, identifier: UUID, *, tokens: int, nano: int) -> bool:
        """Spend from an open hold and give back its rest; whether there was one."""
        held = self.holds.pop(identifier, None)
        if held is None:
            return False
        self._close(held, Amounts(requests=held.amounts.requests, tokens=tokens, nano=nano))
        return True

    def spend(self, hold: Hold, amounts: Amounts, now_ms: int) -> None:
        """Book amounts that no open hold covers, in the windows of now."""
        for account in hold.accounts:
            counter = self._counter(account, now_ms)
            counter.spent += getattr(amounts, account.unit)
            self.dirty.add(counter)

    def expire(self, now_ms: int) -> list[Held]:
        """Close the holds whose lease has ended; what they held is spent, only their place is free again."""
        over = [held for held in self.holds.values() if held.lease_until_ms <= now_ms]
        for held in over:
            del self.holds[held.id]
            self.swept[held.id] = held
            self._close(held, replace(held.amounts, concurrency=0))
        return over

    def restore(self, counters: Iterable[Counter], holds: Iterable[Held], swept: Iterable[Held]) -> None:
        """Take up what a store kept."""
        for counter in counters:
            self._take_up(counter)
        for held in holds:
            self.holds[held.id] = held
            for share in held.shares:
                if (share.account, share.start_ms) not in self.counters:
                    self._take_up(Counter(share))
                self.counters[share.account, share.start_ms].held += getattr(held.amounts, share.unit)
        self.swept.update((held.id, held) for held in swept)

    def forget(self, now_ms: int) -> tuple[list[Counter], list[UUID]]:
        """Drop counters of windows that ended before any open hold began, and holds swept long ago."""
        horizon_ms = now_ms - 10 * self.lease_ms
        counters = [one for one in self.counters.values() if one.ends_ms < horizon_ms and not one.held]
        for counter in counters:
            account = counter.share.account
            del self.counters[account, counter.share.start_ms]
            self.dirty.discard(counter)
            if self.current.get(account) is counter:
                del self.current[account]
        self.cooling = {account: until for account, until in self.cooling.items() if until > now_ms}
        holds = [one.id for one in self.swept.values() if one.lease_until_ms + LATE_SETTLE_MS < now_ms]
        for identifier in holds:
            del self.swept[identifier]
        return counters, holds

    def _open(self, hold: Hold, places: _Places, now_ms: int) -> None:
        amounts, shares = hold.amounts, []
        for account, counter in places:
            counter.held += getattr(amounts, account.unit)
            shares.append(counter.share)
        self.holds[hold.id] = Held(hold.id, now_ms + self.lease_ms, amounts, tuple(shares), hold.skeleton)

    def _raise(self, known: Held, hold: Hold) -> None:
        raised = Amounts(*map(max, astuple(known.amounts), astuple(hold.amounts)))
        for share in known.shares:
            counter = self._at(share)
            counter.held += getattr(raised, share.unit) - getattr(known.amounts, share.unit)
        known.amounts = raised
        if hold.skeleton.charge_nano >= known.skeleton.charge_nano:
            known.skeleton = hold.skeleton

    def _refuse(
        self, account: Account, counter: Counter, more: int, is_known: bool, now_ms: int
    ) -> Refusal | None:
        if not account.hard:
            return None
        cooling = self.cooling.get(account.id, 0)
        if cooling > now_ms and not is_known:
            return Refusal(account=account, retry_ms=cooling - now_ms)
        left = account.limit - counter.spent - counter.held
        if more <= max(0, left):
            return None
        if account.cooldown_ms:
            self.cooling[account.id] = now_ms + account.cooldown_ms
        wait_ms = _CONCURRENCY_RETRY_MS if account.unit == "concurrency" else counter.ends_ms - now_ms
        return Refusal(account=account, retry_ms=max(wait_ms, account.cooldown_ms), remaining=max(0, left))

    def _counter(self, account: Account, now_ms: int) -> Counter:
        counter = self.current.get(account.id)
        return counter if counter is not None and now_ms < counter.ends_ms else self._turn(account, now_ms)

    def _turn(self, account: Account, now_ms: int) -> Counter:
        """The counter of the window that begins with this call, or that it is the first to fall in."""
        start_ms, ends_ms = self._window(account, now_ms)
        fresh = Counter(Share(account.id, start_ms, ends_ms, account.unit))
        counter = self.current[account.id] = self.counters.setdefault((account.id, start_ms), fresh)
        return counter

    def _window(self, account: Account, now_ms: int) -> tuple[int, int]:
        if account.length_ms:
            return window_bounds(account.window, account.zone, now_ms, account.length_ms)
        key = (account.window, account.zone)
        bounds = self._bounds.get(key)
        if bounds is None or bounds[1] <= now_ms or account.window in ("second", "minute", "hour"):
            bounds = self._bounds[key] = window_bounds(account.window, account.zone, now_ms)
        return bounds

    def _close(self, held: Held, spent: Amounts) -> None:
        current, amounts, dirty = self.current, held.amounts, self.dirty
        for share in held.shares:
            counter = current.get(share.account)
            if counter is None or counter.share is not share:  # an earlier window's
                counter = self.counters.get((share.account, share.start_ms))
            if counter is not None:
                unit = share.unit
                counter.held -= getattr(amounts, unit)
                counter.spent += getattr(spent, unit)
                dirty.add(counter)

    def _at(self, share: Share) -> Counter:
        """The counter that a hold sits on, even if its window was forgotten meanwhile."""
        return self.counters.setdefault((share.account, share.start_ms), Counter(share))

    def _take_up(self, counter: Counter) -> None:
        account, start_ms = counter.share.account, counter.share.start_ms
        self.counters[account, start_ms] = counter
        newest = self.current.get(account)
        if newest is None or newest.share.start_ms < start_ms:
            self.current[account] = counter


def _rates(places: _Places, now_ms: int) -> tuple[Rate, ...]:
    """The tightest quota of requests and of tokens."""
    tightest: dict[str, Rate] = {}
    for account, counter in places:
        unit = account.unit
        if unit == "requests" or unit == "tokens":
            remaining = account.limit - counter.spent - counter.held
            found = tightest.get(unit)
            if found is None or remaining < found.remaining:
                tightest[unit] = Rate(
                    unit=unit,
                    limit=account.limit,
                    remaining=remaining if remaining > 0 else 0,
                    reset_ms=counter.ends_ms - now_ms,
                )
    return tuple(tightest.values())
