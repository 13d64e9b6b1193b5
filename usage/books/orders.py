"""Orders as the script on Redis reads them, and its answers.

A batch is a list of arguments: its header, the accounts that its orders name, which accounts belong together,
the orders, and then what each of them brings, such as its ledger line. Numbers are packed as in C, which the
script reads without making a table of them. Its answer is MessagePack.
"""

import struct
from collections.abc import Mapping
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.accounts import LARGEST_AMOUNT, Account, Hold, Settlement, Unit, uncovered_amounts
from gateway.entry import Entry
from gateway.windows import Window, window_bounds
from usage.books.rows import copy_line
from usage.books.shards import LINE

GRANTED, REFUSED, SWEPT, UNKNOWN, AWAY, MOVED, CLAIMED = 1, 2, 3, 4, 5, 6, 7
"""How a verdict begins; one that says nothing more says that the order was carried out."""

_HOLD, _RENEWAL, _SETTLEMENT, _CORRECTION, _SWEEP = 1, 2, 3, 4, 5
_UNITS: Mapping[Unit, int] = {"requests": 1, "tokens": 2, "concurrency": 3, "nano": 4}
_RATES: tuple[Window, ...] = ("second", "minute", "hour")

_pack_header = struct.Struct("<6d3I").pack
_pack_account = struct.Struct("<2B6d").pack
_pack_hold = struct.Struct("<2B32s7dIB").pack
_pack_renewal = struct.Struct("<2B32s").pack
_pack_settlement = struct.Struct("<2B32s2d2BI").pack
_pack_amounts = struct.Struct("<4d").pack
_pack_sweep = struct.Struct("<2B32sd").pack
_NOBODY = b""
"""Stands for the id of an order that is about no call."""


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

    def row(self, account: Account, now_ms: int) -> bytes:
        """An account as the script takes it, but for its name."""
        length, bounds = 0, (0, 0, 0)
        if account.length_ms or account.window in _RATES:
            length = window_bounds(account.window, account.zone, 0, account.length_ms)[1]
        else:
            bounds = self._bounds_of(account, now_ms)
        limit = min(account.limit, LARGEST_AMOUNT)
        return _pack_account(_UNITS[account.unit], account.hard, limit, account.cooldown_ms, length, *bounds)

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

    __slots__ = ("_arguments", "_calendar", "_indexes", "_now_ms", "_orders", "_rows", "_sets", "accounts")

    def __init__(self, calendar: Calendar, now_ms: int) -> None:
        self.accounts: list[Account] = []
        """Those that orders name, in the order of their numbers, which begin at 1."""
        self._calendar = calendar
        self._now_ms = now_ms
        self._indexes: dict[int, int] = {}
        self._rows: list[bytes] = []
        self._sets: list[bytes] = []
        self._orders: list[bytes] = []
        self._arguments: list[bytes] = []

    def add_hold(self, hold: Hold, *, again: bool = False) -> None:
        """Ask for a hold; one that was granted before is taken back whatever it does to limits."""
        skeleton, amounts, claim = hold.skeleton, hold.amounts, hold.claim
        order = _pack_hold(
            _HOLD,
            again,
            hold.id.hex.encode(),
            amounts.requests,
            amounts.tokens,
            amounts.concurrency,
            amounts.nano,
            skeleton.charge_nano,
            skeleton.lines[0].units if skeleton.lines else 1,
            hold.revision,
            self._set(hold.accounts),
            claim is not None,
        )
        self._add(order, copy_line(skeleton))
        if claim is not None:
            self._arguments += (claim.key.encode(), claim.body.encode())

    def add_renewal(self, identifier: UUID) -> None:
        """Extend a lease."""
        self._orders.append(_pack_renewal(_RENEWAL, 0, identifier.hex.encode()))

    def add_settlement(self, settlement: Settlement, *, covered: bool = True) -> None:
        """Close a hold; one that is not `covered` by any spends from its accounts."""
        entry = settlement.entry
        number = 0 if covered else self._set(settlement.hold.accounts)
        order = (
            _SETTLEMENT,
            settlement.gives_back,
            entry.id.hex.encode(),
            settlement.tokens,
            entry.charge_nano,
        )
        packed = _pack_settlement(*order, *_claim_flags(settlement), number)
        self._add(packed, copy_line(entry))
        if number:
            spent = uncovered_amounts(settlement)
            self._arguments.append(_pack_amounts(spent.requests, spent.tokens, spent.concurrency, spent.nano))
        self._add_claim(settlement)

    def add_correction(self, correction: Entry, *, tokens: int, settlement: Settlement) -> None:
        """Turn what a swept call was booked at into what really happened, as its settlement says."""
        assert correction.corrects is not None  # noqa: S101
        order = (_CORRECTION, 0, correction.corrects.hex.encode(), tokens, correction.charge_nano)
        packed = _pack_settlement(*order, *_claim_flags(settlement), 0)
        self._add(packed, copy_line(correction))
        self._add_claim(settlement)

    def add_sweep(self, at_most: int) -> None:
        """Close holds whose lease has ended."""
        self._orders.append(_pack_sweep(_SWEEP, 0, _NOBODY, at_most))

    def packed(self, header: Header) -> list[bytes]:
        """The arguments of the script."""
        sender = (header.seen, header.seen_at, header.now_ms, header.lease_ms)
        limits = (header.backlog_at_most, header.rebuild_ms)
        counts = (len(self._rows), len(self._sets), len(self._orders))
        return [
            _pack_header(*sender, *limits, *counts),
            header.server.encode(),
            LINE,
            b"".join(self._rows),
            *[account.id.encode() for account in self.accounts],
            *self._sets,
            *self._orders,
            *self._arguments,
        ]

    def _add(self, order: bytes, line: bytes) -> None:
        self._orders.append(order)
        self._arguments.append(line)

    def _add_claim(self, settlement: Settlement) -> None:
        claim, answer = settlement.hold.claim, settlement.answer
        if claim is not None:
            self._arguments += (claim.key.encode(), claim.body.encode())
            if answer is not None:
                self._arguments.append(answer)

    def _set(self, accounts: tuple[Account, ...]) -> int:
        """The number of these accounts together: callers of the same key have the same."""
        indexes = self._indexes
        number = indexes.get(id(accounts))
        if number is None:
            places = self._places(accounts)
            self._sets.append(struct.pack(f"<{len(places)}I", *places))
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


def _claim_flags(settlement: Settlement) -> tuple[int, bool]:
    """Whether a settlement is about a claim, 2 if it brings its answer, and whether it frees its key."""
    if settlement.hold.claim is None:
        return 0, False
    return 1 if settlement.answer is None else 2, settlement.entry.status == "failed"
