"""How alike prompts are: vectors of one space, and which of them points the same way. No I/O."""

from array import array
from collections.abc import Sequence
from math import dist, isfinite, sqrt
from sys import byteorder

from msgspec import Struct

PROMPTS_AT_MOST = 2_000
"""Of one space; the oldest give way."""
_PARTS_EXACTLY = 32_768
"""How many parts are compared in full: of those vectors whose signs agree best."""

_TOP = 3 if byteorder == "little" else 0
"""Which byte of a float has its sign, as the first bit."""


class Near(Struct, frozen=True, gc=False):
    """A kept answer's key, and the cosine between its prompt and the one that was asked about."""

    key: str
    cosine: float


class Pointer(Struct, frozen=True, gc=False):
    """A vector of length 1, as floats of four bytes, and the signs of its parts as bits of a number."""

    parts: "array[float]"
    signs: int


class Space:
    """The prompts of one space, the latest last."""

    __slots__ = ("pointers",)

    def __init__(self) -> None:
        self.pointers: dict[str, Pointer] = {}

    def add(self, key: str, pointer: Pointer) -> None:
        """One more; the same key again is the latest."""
        self.pointers.pop(key, None)
        self.pointers[key] = pointer
        for old in list(self.pointers)[:-PROMPTS_AT_MOST]:
            del self.pointers[old]

    def nearest(self, pointer: Pointer) -> Near | None:
        """The one that points most alike.

        Signs are compared first, which is a count of bits: they differ in more places the wider the angle,
        so that what is near is among the best of them.
        """
        alike = [(key, one) for key, one in self.pointers.items() if len(one.parts) == len(pointer.parts)]
        most = _PARTS_EXACTLY // len(pointer.parts) + 1
        if len(alike) > most:
            alike.sort(key=lambda pair: (pair[1].signs ^ pointer.signs).bit_count())
        near = [Near(key, _cosine(one, pointer)) for key, one in alike[:most]]
        return max(near, key=lambda one: one.cosine, default=None)


def pointer_of(vector: Sequence[float]) -> Pointer | None:
    """The direction of a vector; none for one that has no direction."""
    length = sqrt(sum(part * part for part in vector))
    if not length or not isfinite(length):
        return None
    return read_pointer(array("f", [part / length for part in vector]).tobytes())


def read_pointer(told: bytes) -> Pointer:
    """A direction from its bytes."""
    parts = array("f")
    parts.frombytes(told[: len(told) // 4 * 4])
    tops = int.from_bytes(told[_TOP::4], "little")
    return Pointer(parts, tops & int.from_bytes(b"\x80" * len(parts), "little"))


def _cosine(one: Pointer, other: Pointer) -> float:
    """Of two vectors of length 1 it is a matter of how far their ends are apart."""
    apart = dist(one.parts, other.parts)
    return 1 - apart * apart / 2
