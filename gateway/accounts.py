"""Accounts, and the orders that move them: hold, renew, settle."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

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


class Amounts(Struct, frozen=True, gc=False):
    """What one call takes, unit by unit."""

    requests: int = 0
    tokens: int = 0
    concurrency: int = 0
    nano: int = 0


class Hold(Struct, frozen=True, kw_only=True, gc=False):
    """The worst case of one call, set aside before it is made.

    A second hold with the same id raises the first to its own amounts (a further attempt);
    one that asks for no more repeats the verdict.
    """

    id: UUID
    accounts: tuple[Account, ...]
    amounts: Amounts
    skeleton: Entry
    """The entry to write if nobody settles: at the bound, `unsettled`."""


class Renewal(Struct, frozen=True, kw_only=True, gc=False):
    """The call is alive: its hold keeps its lease."""

    id: UUID


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """What the call really took; the rest of its hold goes back."""

    hold: Hold
    entry: Entry
    tokens: int


Order = Hold | Renewal | Settlement


class Refusal(Struct, frozen=True, kw_only=True, gc=False):
    """The account that said no, and when it is worth asking again."""

    account: Account
    retry_ms: int


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """What became of an order."""

    refusal: Refusal | None = None
    rates: tuple[Rate, ...] = ()
