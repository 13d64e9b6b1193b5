"""What a process knows that a shard could forget: its open holds, and settlements that are not safe yet."""

from collections import deque
from collections.abc import Collection, Iterable
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.accounts import Account, Hold, Settlement
from gateway.entry import Entry
from gateway.windows import window_bounds
from usage.books.orders import Receipt
from usage.books.redis_errands import Errand

KEEP_MS = 10_000
"""A settlement is kept so long though the ledger has it: a replica that takes over may be as far behind."""

_LONG = 65_536
_REMEMBERED_MS = 300_000
"""So long a shard surely remembers what was settled; what is older was not lost with a short tail."""


class Closed(Struct, frozen=True, gc=False):
    """A settlement, with the entry that stands for it if its hold had been swept."""

    settlement: Settlement
    correction: Entry | None = None
    corrected_tokens: int = 0

    @property
    def identifiers(self) -> list[UUID]:
        """Of the entries that it is in the ledger."""
        entries = [self.settlement.entry, self.correction]
        return [entry.id for entry in entries if entry is not None]

    def unknown_to(self, known: Collection[UUID], now_ms: int) -> Settlement | None:
        """What of it a ledger with these entries lacks: of a swept call perhaps its correction alone."""
        settlement, correction = self.settlement, self.correction
        if settlement.entry.id not in known:
            return settlement if correction is None or correction.id not in known else None
        if correction is None or correction.id in known:
            return None
        accounts = _of_same_windows(settlement.hold, now_ms)
        hold = replace(settlement.hold, id=correction.id, accounts=accounts)
        return replace(settlement, hold=hold, entry=correction, tokens=self.corrected_tokens)


class Written(Struct, frozen=True, gc=False):
    """Settlements of one batch, whose lines are no later than the last one of it."""

    last: tuple[int, int]
    at_ms: int
    closed: list[Closed]


class Outstanding:
    """The part of it that belongs to one shard."""

    def __init__(self, lease_ms: int) -> None:
        self.loss = ""
        """The last loss of the shard after which all of this was there."""
        self.holds: dict[UUID, Hold] = {}
        self.written: deque[Written] = deque()
        self._lease_ms = lease_ms
        self._until: dict[UUID, int] = {}
        self._drained = ""
        self._drained_to = (0, 0)

    def note(self, errands: Iterable[Errand], receipt: Receipt) -> None:
        """Keep what was carried out."""
        closed = []
        for errand in errands:
            order = errand.order
            if isinstance(order, Hold):
                self._open(order, receipt.now)
            elif isinstance(order, Settlement):
                closing = self._closing(order)
                if closing is not None:
                    tokens = errand.corrected_tokens or 0
                    closed.append(Closed(_without_long_answer(closing), errand.correction, tokens))
        if closed:
            self.written.append(Written(_parts(receipt.last), receipt.now, closed))

    def keep_alive(self, identifier: UUID, now_ms: int) -> None:
        """A call says that it goes on, whether or not its lease can be extended now."""
        if identifier in self._until:
            self._until[identifier] = now_ms + self._lease_ms

    def look_at(self, receipt: Receipt) -> None:
        """Drop what is safe. After a loss nothing is, until all of it was posted again."""
        written = self.written
        if not written and not self.holds:
            self.loss = receipt.loss
        if self.loss != receipt.loss:
            return
        if receipt.drained != self._drained:
            self._drained, self._drained_to = receipt.drained, _parts(receipt.drained)
        safe_before = receipt.now - KEEP_MS
        while written and written[0].last <= self._drained_to and written[0].at_ms <= safe_before:
            written.popleft()

    def drop(self, identifier: UUID) -> None:
        """A hold is not this process's any more."""
        self.holds.pop(identifier, None)
        self._until.pop(identifier, None)

    def drop_expired(self, now_ms: int) -> None:
        """Drop holds that nobody kept alive: they have been swept, or will be."""
        for identifier in [one for one, until in self._until.items() if until <= now_ms]:
            self.drop(identifier)

    def take_lost(self, receipt: Receipt) -> list[Written]:
        """Hand out the settlements that the last loss may have reached."""
        since = 0 if receipt.sums else receipt.now - _REMEMBERED_MS
        lost = [one for one in self.written if one.at_ms >= since]
        self.written = deque(one for one in self.written if one.at_ms < since)
        return lost

    def put_back(self, lost: list[Written]) -> None:
        """Take up again what could not be posted."""
        self.written.extendleft(reversed(lost))

    def _closing(self, order: Settlement) -> Settlement | None:
        """How a settlement is to be posted again after a loss, if it ever closed anything.

        One that came with its hold wrote its entry: lost, it must be written though the hold is lost too. If
        that hold was not granted, there was never anything.
        """
        was_open = order.entry.id in self.holds
        self.drop(order.entry.id)
        if order.gives_back and order.entry.status == "cached":
            return replace(order, gives_back=False) if was_open else None
        return order

    def _open(self, hold: Hold, now_ms: int) -> None:
        known = self.holds.get(hold.id)
        if known is None:
            self._until[hold.id] = now_ms + self._lease_ms
        if known is None or hold.skeleton.charge_nano >= known.skeleton.charge_nano:
            self.holds[hold.id] = hold


def _without_long_answer(settlement: Settlement) -> Settlement:
    """A loss is rare: what would have to be kept for it is not to fill the memory."""
    answer = settlement.answer
    return settlement if answer is None or len(answer) <= _LONG else replace(settlement, answer=None)


def _of_same_windows(hold: Hold, now_ms: int) -> tuple[Account, ...]:
    """Accounts that are still in the window of their call: given back in another, it could be spent twice."""

    def bounds(account: Account, at_ms: int) -> tuple[int, int]:
        return window_bounds(account.window, account.zone, at_ms, account.length_ms)

    began_ms = hold.skeleton.at_ms
    return tuple(one for one in hold.accounts if bounds(one, began_ms) == bounds(one, now_ms))


def _parts(stream_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds or 0), int(sequence or 0)
