"""How accounts stand, for whoever asks; and windows that begin anew because an operator says so."""

from collections.abc import Iterable

from msgspec import Struct

from gateway.accounts import Account
from gateway.tally import Counter, Share, Tally
from gateway.windows import ENDLESS_MS, window_bounds


class Standing(Struct, frozen=True, kw_only=True, gc=False):
    """How far an account is used."""

    used: int
    """Spent, and set aside for calls under way."""
    ends_ms: int = 0
    """When its window ends; 0 where none is open, or where it never ends."""
    cooling_until_ms: int = 0
    """Until when it refuses whatever is left of it; 0 if it does not."""


def standing_of(
    account: Account, *, used: int, window_ends_ms: int, cooling_until_ms: int, now_ms: int
) -> Standing:
    """What a counter says at a moment: of a window that is over, nothing is used any more."""
    cooling = cooling_until_ms if cooling_until_ms > now_ms else 0
    if window_ends_ms > now_ms:
        ends_ms = window_ends_ms if window_ends_ms < ENDLESS_MS else 0
        return Standing(used=max(0, used), ends_ms=ends_ms, cooling_until_ms=cooling)
    ends_ms = 0
    if not account.length_ms and account.window in ("day", "week", "month"):
        ends_ms = window_bounds(account.window, account.zone, now_ms)[1]
    return Standing(used=0, ends_ms=ends_ms, cooling_until_ms=cooling)


def is_renewable(account: Account) -> bool:
    """Whether its window may begin anew: money stays spent, and places are those of calls under way."""
    return account.unit in ("requests", "tokens")


def look_at(tally: Tally, accounts: Iterable[Account], now_ms: int) -> list[Standing]:
    """How accounts stand, in their order."""
    standings = []
    for account in accounts:
        counter = tally.current.get(account.id)
        standings.append(
            standing_of(
                account,
                used=counter.spent + counter.held if counter else 0,
                window_ends_ms=counter.ends_ms if counter else 0,
                cooling_until_ms=tally.cooling.get(account.id, 0),
                now_ms=now_ms,
            )
        )
    return standings


def renew_windows(tally: Tally, accounts: Iterable[Account], now_ms: int) -> int:
    """Begin the windows of requests and tokens anew, and end their cooldowns; how many accounts that were.

    The old counters stay beside the new ones: calls under way settle there, and corrections go there too, so
    that nothing which began before can bring a new counter below zero.
    """
    chosen = [account for account in accounts if is_renewable(account)]
    for account in chosen:
        tally.cooling.pop(account.id, None)
        old = tally.current.get(account.id)
        if old is None or old.ends_ms <= now_ms:
            continue
        start_ms = max(now_ms, old.share.start_ms + 1)
        ends_ms = start_ms + old.ends_ms - old.share.start_ms if _is_rate(account) else old.ends_ms
        new = Counter(Share(account.id, start_ms, ends_ms, account.unit))
        tally.current[account.id] = tally.counters[account.id, start_ms] = new
        tally.dirty.add(new)
    return len(chosen)


def _is_rate(account: Account) -> bool:
    return bool(account.length_ms) or account.window in ("second", "minute", "hour")
