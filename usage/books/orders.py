"""Orders as the script on Redis reads them, and its answers: MessagePack, which Redis knows by itself.

Accounts are listed once a batch, and orders name them by their place in the list. Ledger lines travel
beside the pack, each as an argument of its own.
"""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.accounts import LARGEST_AMOUNT, Account, Amounts, Hold, Settlement, Unit, uncovered_amounts
from gateway.entry import Entry
from gateway.windows import Window, window_bounds
from usage.books.rows import copy_line
from usage.books.shards import LINE

GRANTED, REFUSED, SWEPT, UNKNOWN, AWAY, MOVED, CLAIMED = 1, 2, 3, 4, 5, 6, 7
"""How a verdict begins; one that says nothing more says that the order was carried out."""

_HOLD, _RENEWAL, _SETTLEMENT, _CORRECTION, _SWEEP = 1, 2, 3, 4, 5
_UNITS: Mapping[Unit, int] = {"requests": 1, "tokens": 2, "concurrency": 3, "nano": 4}
_RATES: tuple[Window, ...] = ("second", "minute", "hour")
_FIELD = LINE.decode()

_encode = msgspec.msgpack.Encoder().encode


TAIL, SUMMED, BLANK = 0, 1, 2
"""The counters stay, and lack a short tail; they are the ledger's sums; or there was nothing to sum."""


class Receipt(Struct, frozen=True, array_like=True, gc=False):
    """What a shard says to a batch."""

    status: Literal["ready", "rebuilding", "lost"]
    seq: int
    """Rises with every batch; a shard that knows less than it said before has lost something."""
    at: int
    """When it was last written, before anything was lost."""
    now: int
    drained: str
    """Up to which line of its journal the ledger has everything."""
    last: str
    """The last line of its journal that this batch wrote or found there."""
    loss: str
    """Which loss was its last."""
    sums: Literal[0, 1, 2]
    """What its counters were made from after that loss: `TAIL`, `SUMMED` or `BLANK`."""
    verdicts: list[list[int]]


read_receipt = msgspec.msgpack.Decoder(Receipt).decode


class Header(Struct, frozen=True, kw_only=True, gc=False):
    """What a batch says of its sender."""

    seen: int
    seen_at: int
    server: str
    now_ms: int
    """0 leaves it to the clock of Redis."""
    lease_ms: int
    backlog_at_most: int
    rebuild_ms: int


class Calendar:
    """Bounds of windows of now and of the next ones, for a clock that may have moved on meanwhile."""

    def __init__(self) -> None:
        self._bounds: dict[tuple[Window, str], tuple[int, int, int]] = {}

    def row(self, account: Account, now_ms: int) -> tuple[str, int, int, bool, int, int, int, int, int]:
        """An account as the script takes it."""
        length, bounds = 0, (0, 0, 0)
        if account.length_ms or account.window in _RATES:
            length = window_bounds(account.window, account.zone, 0, account.length_ms)[1]
        else:
            bounds = self._bounds_of(account, now_ms)
        limit = min(account.limit, LARGEST_AMOUNT)
        cooldown = account.cooldown_ms
        return (account.id, _UNITS[account.unit], limit, account.hard, cooldown, length, *bounds)

    def _bounds_of(self, account: Account, now_ms: int) -> tuple[int, int, int]:
        key = (account.window, account.zone)
        bounds = self._bounds.get(key)
        if bounds is None or not bounds[0] <= now_ms < bounds[1]:
            start, ends = window_bounds(account.window, account.zone, now_ms)
            following = window_bounds(account.window, account.zone, ends)[1]
            bounds = self._bounds[key] = (start, ends, following)
        return bounds


class Batch:
    """Orders of one shard, on their way to it."""

    __slots__ = ("_calendar", "_indexes", "_lines", "_now_ms", "_orders", "_rows", "_sets", "accounts")

    def __init__(self, calendar: Calendar, now_ms: int) -> None:
        self.accounts: list[Account] = []
        """Those that orders name, in the order of their numbers, which begin at 1."""
        self._calendar = calendar
        self._now_ms = now_ms
        self._indexes: dict[int, int] = {}
        self._rows: list[object] = []
        self._sets: list[list[int]] = []
        self._orders: list[object] = []
        self._lines: list[bytes] = []

    def add_hold(self, hold: Hold, *, again: bool = False) -> None:
        """Ask for a hold; one that was granted before is taken back whatever it does to limits."""
        skeleton, amounts = hold.skeleton, hold.amounts
        attempts = skeleton.lines[0].units if skeleton.lines else 1
        places = self._set(hold.accounts)
        line, charge = self._line(skeleton), skeleton.charge_nano
        order = (_HOLD, hold.id.hex, _listed(amounts), places, line, charge, attempts, hold.revision, again)
        claim = () if hold.claim is None else (hold.claim.key, hold.claim.body)
        self._orders.append((*order, *claim))

    def add_renewal(self, identifier: UUID) -> None:
        """Extend a lease."""
        self._orders.append((_RENEWAL, identifier.hex))

    def add_settlement(self, settlement: Settlement, *, covered: bool = True) -> None:
        """Close a hold; one that is not `covered` by any spends from its accounts."""
        entry = settlement.entry
        line = self._line(entry)
        order = (_SETTLEMENT, entry.id.hex, settlement.tokens, entry.charge_nano, line, settlement.gives_back)
        uncovered: tuple[object, object] = (False, False)
        if not covered:
            uncovered = self._set(settlement.hold.accounts), _listed(uncovered_amounts(settlement))
        self._orders.append((*order, *uncovered, *self._claim(settlement)))

    def add_correction(self, correction: Entry, *, tokens: int, settlement: Settlement) -> None:
        """Turn what a swept call was booked at into what really happened, as its settlement says."""
        assert correction.corrects is not None  # noqa: S101
        line = self._line(correction)
        order = (_CORRECTION, correction.corrects.hex, tokens, correction.charge_nano, line)
        self._orders.append((*order, *self._claim(settlement)))

    def add_sweep(self, at_most: int) -> None:
        """Close holds whose lease has ended."""
        self._orders.append((_SWEEP, at_most))

    def packed(self, header: Header) -> list[bytes]:
        """The arguments of the script."""
        sender = (header.seen, header.seen_at, header.server, header.now_ms, header.lease_ms)
        limits = (header.backlog_at_most, header.rebuild_ms)
        return [_encode((*sender, *limits, _FIELD, self._rows, self._sets, self._orders)), *self._lines]

    def _claim(self, settlement: Settlement) -> tuple[str, str, int, bool] | tuple[()]:
        claim, answer = settlement.hold.claim, settlement.answer
        if claim is None:
            return ()
        place = 0 if answer is None else self._argument(answer)
        return claim.key, claim.body, place, settlement.entry.status == "failed"

    def _line(self, entry: Entry) -> int:
        return self._argument(copy_line(entry))

    def _argument(self, value: bytes) -> int:
        """The number of a value among the script's arguments; the first is the pack."""
        self._lines.append(value)
        return len(self._lines) + 1

    def _set(self, accounts: tuple[Account, ...]) -> int:
        """The number of these accounts together: callers of the same key have the same."""
        indexes = self._indexes
        number = indexes.get(id(accounts))
        if number is None:
            self._sets.append(self._places(accounts))
            number = indexes[id(accounts)] = len(self._sets)
        return number

    def _places(self, accounts: tuple[Account, ...]) -> list[int]:
        indexes = self._indexes
        places = []
        for account in accounts:
            place = indexes.get(id(account))
            if place is None:
                self.accounts.append(account)
                self._rows.append(self._calendar.row(account, self._now_ms))
                place = indexes[id(account)] = len(self.accounts)
            places.append(place)
        return places


def _listed(amounts: Amounts) -> tuple[int, int, int, int]:
    return amounts.requests, amounts.tokens, amounts.concurrency, amounts.nano
