"""What a process has seen of each deployment: how busy it is, how fast it answers, whether it does."""

from collections.abc import Callable
from math import log2

from msgspec import Struct

from gateway.catalog import Deployment

VITALS_AT_MOST = 10_000
"""A star lets callers invent names."""

_NEWEST = 0.2
"""How much of an average its newest value is."""
_SLOTS = 64
_SLOTS_AN_OCTAVE = 4
"""So 64 slots reach from a millisecond to 65 seconds, each 19 % wider than the one before."""
_HALVED_AT = 1024
_ENOUGH = 20
"""Answers from which it can be said what most of them stay below."""
_MOST = 0.95

Key = tuple[int, str]
"""The number of a deployment's id, which is looked up faster than the id itself, and the model there."""


class Reading(Struct, frozen=True, kw_only=True, gc=False):
    """A deployment at one moment, for calls of one sort: streamed or whole."""

    in_flight: int = 0
    first_byte: float | None = None
    """Seconds, on the average of late; None as long as nobody has seen one."""
    total: float | None = None
    misses: int = 0
    """Failures since the last answer of any sort."""


class Pace:
    """How fast answers of one sort come: averages of late, and how the first bytes are spread."""

    __slots__ = ("_count", "_slots", "first_byte", "total")

    def __init__(self) -> None:
        self.first_byte: float | None = None
        self.total: float | None = None
        self._slots = [0] * _SLOTS
        self._count = 0

    def note_first_byte(self, seconds: float) -> None:
        """An answer began so long after its request."""
        before = self.first_byte
        self.first_byte = seconds if before is None else before + _NEWEST * (seconds - before)
        at = int(log2(seconds * 1000) * _SLOTS_AN_OCTAVE) if seconds > 0.001 else 0
        self._slots[at if at < _SLOTS else _SLOTS - 1] += 1
        self._count += 1
        if self._count >= _HALVED_AT:  # what was long ago counts for less
            self._slots = [count >> 1 for count in self._slots]
            self._count = sum(self._slots)

    def note_total(self, seconds: float) -> None:
        """An answer was whole so long after its request."""
        before = self.total
        self.total = seconds if before is None else before + _NEWEST * (seconds - before)

    @property
    def mostly_within(self) -> float | None:
        """Seconds within which 95 of 100 first bytes come; None as long as too few have come."""
        if self._count < _ENOUGH:
            return None
        wanted, seen = self._count * _MOST, 0
        for at, count in enumerate(self._slots):
            seen += count
            if seen >= wanted:
                return float(2.0 ** ((at + 1) / _SLOTS_AN_OCTAVE)) / 1000
        return None


class Vital:
    """One deployment's: whoever starts a call there notes on it how the call goes."""

    __slots__ = ("in_flight", "misses", "streamed", "whole")

    def __init__(self) -> None:
        self.in_flight = 0
        self.misses = 0
        self.streamed = Pace()
        self.whole = Pace()

    def pace(self, stream: bool) -> Pace:
        """That of the answers of one sort."""
        return self.streamed if stream else self.whole

    def note_first_byte(self, seconds: float, *, stream: bool) -> None:
        """A good answer began."""
        (self.streamed if stream else self.whole).note_first_byte(seconds)
        self.misses = 0

    def note_end(
        self,
        seconds: float | None,
        *,
        stream: bool,
        first_byte: float | None = None,
        missed: bool = False,
    ) -> None:
        """The call is over: after so long with a whole answer; without one `seconds` is None.

        One that only its caller ended has not `missed`.
        """
        self.in_flight -= 1
        if first_byte is not None:
            self.note_first_byte(first_byte, stream=stream)
        if seconds is not None:
            (self.streamed if stream else self.whole).note_total(seconds)
        elif missed:
            self.misses += 1


class Vitals:
    """Those of every deployment that this process has called, bounded in number."""

    def __init__(self, most: int = VITALS_AT_MOST) -> None:
        self._most = most
        self._known: dict[Key, Vital] = {}

    def __len__(self) -> int:
        return len(self._known)

    def note_start(self, deployment: Deployment) -> Vital:
        """A call goes there now; each start needs its `note_end`."""
        vital = self._known.get((deployment.id.int, deployment.upstream)) or self._meet(deployment)
        vital.in_flight += 1
        return vital

    def look(self, deployment: Deployment, stream: bool) -> Reading:
        """How it is with a deployment, for calls of a sort."""
        vital = self._known.get((deployment.id.int, deployment.upstream))
        if vital is None:
            return _UNKNOWN
        pace = vital.pace(stream)
        return Reading(
            in_flight=vital.in_flight, first_byte=pace.first_byte, total=pace.total, misses=vital.misses
        )

    def mostly_within(self, deployment: Deployment, stream: bool) -> float | None:
        """Seconds within which it mostly begins to answer, once that is known."""
        vital = self._known.get((deployment.id.int, deployment.upstream))
        return None if vital is None else vital.pace(stream).mostly_within

    def _meet(self, deployment: Deployment) -> Vital:
        if len(self._known) >= self._most:
            self._forget()
        vital = self._known[deployment.id.int, deployment.upstream] = Vital()
        return vital

    def _forget(self) -> None:
        """Let go of the half that was met first, but for those that are busy."""
        oldest = list(self._known.items())[: (self._most + 1) // 2]
        for key, vital in oldest:
            if not vital.in_flight:
                del self._known[key]


Look = Callable[[Deployment, bool], Reading]

_UNKNOWN = Reading()
