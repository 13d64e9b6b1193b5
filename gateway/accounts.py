"""Accounts, and the orders that move them: hold, renew, settle."""

from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import astuple, replace

from gateway.call import Rate
from gateway.entry import Entry
from gateway.windows import Window

Unit = Literal["requests", "tokens", "concurrency", "nano"]
Scope = Literal["tenant", "project", "key", "end_user"]

LARGEST_AMOUNT = 1 << 53
"""Counters stay exact in every store, doubles included: $9.0 M a window."""


LARGEST_ENTRY = 1 << 62
"""No entry is more: what a provider would have to be paid for it, no ledger could hold."""


class Account(Struct, frozen=True, kw_only=True, gc=False):
    """One counter with its limit: a quota of requests, tokens or places, or a budget of nano-dollars."""

    id: str
    scope: Scope
    name: str
    unit: Unit
    limit: int
    window: Window
    length_ms: int = 0
    zone: str = "UTC"
    hard: bool = True
    cooldown_ms: int = 0
    model: str = ""

    @property
    def told(self) -> str:
        """What it counts, and whose; of a person only that it is one."""
        window = f" per {self.window}" if self.window not in ("none", "total") else ""
        name = "" if self.scope == "end_user" else f" '{self.name}'"
        what = "money" if self.unit == "nano" else self.unit
        return f"{what}{window} of {self.scope.replace('_', ' ')}{name}"


class Amounts(Struct, frozen=True, gc=False):
    """What one call takes, unit by unit."""

    requests: int = 0
    tokens: int = 0
    concurrency: int = 0
    nano: int = 0


class Claim(Struct, frozen=True, kw_only=True, gc=False):
    """The `Idempotency-Key` of a call, and what it asks, both as hashes."""

    key: str
    body: str


class Claimed(Struct, frozen=True, kw_only=True, gc=False):
    """Another call had the key first: it asks something else, is under way, was answered, or was lost."""

    state: Literal["conflict", "running", "answered", "unknown"]
    answer: bytes = b""
    """Sealed; empty if it was too long to be kept."""


class Hold(Struct, frozen=True, kw_only=True, gc=False):
    """The worst case of one call, set aside before it is made.

    A second hold with the same id raises the first to its own amounts (a further attempt);
    one that asks for no more repeats the verdict.
    """

    id: UUID
    accounts: tuple[Account, ...]
    amounts: Amounts
    revision: int = 0
    """The configuration's, as the caller is known by it."""
    claim: Claim | None = None
    """Of the call's `Idempotency-Key`, taken with the hold."""
    skeleton: Entry
    """The entry to write if nobody settles: at the bound, `unsettled`."""


class Renewal(Struct, frozen=True, kw_only=True, gc=False):
    """The call is alive: its hold keeps its lease."""

    id: UUID
    tenant_id: UUID


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """What the call really took; the rest of its hold goes back."""

    hold: Hold
    entry: Entry
    tokens: int
    answer: bytes | None = None
    """Sealed, for whoever repeats the call with its `Idempotency-Key`; empty if it is too long to keep."""
    gives_back: bool = False
    """Closes a hold that no provider heard of; where there is none, nothing is written."""
    opens: bool = False
    """Opens its hold too: what the call came to was known before it was admitted. If it is refused,
    nothing is written."""


Order = Hold | Renewal | Settlement
Kept = Hold | Settlement
"""What may wait on disk until the books take it."""


class Refusal(Struct, frozen=True, kw_only=True, gc=False):
    """The account that said no, and when it is worth asking again."""

    account: Account
    retry_ms: int
    remaining: int = 0
    """What it could still bear of its unit."""


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """What became of an order."""

    refusal: Refusal | None = None
    revision: int = 0
    """Not 0: the configuration has moved on to this one. Nothing was held: look at the caller anew."""
    claimed: Claimed | None = None
    """Another call has the `Idempotency-Key`; nothing was held."""
    rates: tuple[Rate, ...] = ()
    failed: bool = False
    """The books could not carry the order out, and nothing moved: to its caller they are away."""
    hopeless: bool = False
    """It failed for what it asks: its amounts are more than books can count, now or later."""


HOPELESS = Verdict(failed=True, hopeless=True)


def past_limits(hold: Hold) -> Hold:
    """The hold of a call that is made whatever its accounts and a newer configuration say."""
    accounts = tuple(replace(account, hard=False) for account in hold.accounts)
    return replace(hold, accounts=accounts, revision=0)


def uncovered_amounts(settlement: Settlement) -> Amounts:
    """What a settlement spends that no hold covers; an entry that mends another is no further request."""
    entry = settlement.entry
    return Amounts(requests=int(entry.corrects is None), tokens=settlement.tokens, nano=entry.charge_nano)


def is_countable(order: Order, *, largest: int = LARGEST_ENTRY) -> bool:
    """Whether every counter and column can hold it: one that none could would block the books for all."""
    if isinstance(order, Hold):
        most: int = max(astuple(order.amounts))
        return most <= LARGEST_AMOUNT
    if isinstance(order, Settlement):
        entry = order.entry
        return (
            -largest <= entry.cost_nano <= largest
            and -largest <= entry.charge_nano <= largest
            and order.tokens <= largest
        )
    return True
