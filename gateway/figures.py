"""Figures out of a provider's counts: what cannot be a count is zero, and noted."""

from collections.abc import Mapping, Set
from math import ceil
from typing import Any

ABSURD = 1 << 40
"""No call has so many of anything."""

_CLASSES = ("_tokens", "_requests", "_seconds", "_characters", "_images", "_pages")
"""How names of counted classes end; other members tell times, sums of money and the like."""

_NOTHING: Mapping[str, Any] = {}


class Figures:
    """Takes figures out of one call's counts, and notes when one makes no sense."""

    __slots__ = ("doubtful",)

    def __init__(self) -> None:
        self.doubtful = False

    def take(self, counts: Mapping[str, Any], *names: str) -> int | None:
        """The largest figure under names that mean the same; None if there is none under any."""
        found: int | None = None
        for name in names:
            value = counts.get(name)
            if value is None:
                continue
            if type(value) is not int or not 0 <= value < ABSURD:
                value = self._mended(value)
            if found is None or value > found:
                found = value
        return found

    def count(self, counts: Mapping[str, Any], *names: str) -> int:
        """The same, where none is as good as zero."""
        return self.take(counts, *names) or 0

    def seconds(self, value: object) -> int:
        """A length of sound; a second that has begun counts."""
        return self._mended(ceil(value) if type(value) is float and 0 <= value < ABSURD else value)

    def parts(self, whole: int, *parts: int) -> tuple[int, ...]:
        """What a whole has beside its parts, then the parts, cut down where together they are more."""
        left, cut = whole, []
        for part in parts:
            if part > left:
                self.doubtful, part = True, left
            cut.append(part)
            left -= part
        return left, *cut

    def _mended(self, value: object) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value < ABSURD:
            return value
        self.doubtful = True
        return 0


def member(counts: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The first object under any of these names."""
    for name in names:
        value = counts.get(name)
        if type(value) is dict:
            return value
    return _NOTHING


def unheard_of(counts: Mapping[str, Any], known: Set[str], endings: tuple[str, ...] = _CLASSES) -> int:
    """How much is counted under names that nobody here knows."""
    if counts.keys() <= known:
        return 0
    return sum(
        value
        for name, value in counts.items()
        if name not in known and type(value) is int and 0 < value < ABSURD and name.endswith(endings)
    )
