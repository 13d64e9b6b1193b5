"""What travels between the engine and the stores of kept answers."""

from collections.abc import Callable

from msgspec import Struct

Chosen = Callable[[bytes], bool]
"""Whether the answer with this sealed label is meant."""


class Found(Struct, frozen=True, kw_only=True, gc=False):
    """What a store says of a key: the sealed answer, or whether it is for the asker to find one."""

    answer: bytes | None = None
    leads: bool = True


class Stored(Struct, frozen=True, kw_only=True, gc=False):
    """An answer as stores take it: nothing in it can be read there."""

    answer: bytes
    """Sealed."""
    label: bytes
    """Sealed: whose it was first, and of which model."""
    saved_nano: int
    """What it did cost, and whoever gets it again does not pay."""
    seconds: float
    """How long it may be given again."""

    @property
    def size(self) -> int:
        """The bytes that it counts as; what a store keeps beside it is not for nothing."""
        return len(self.answer) + len(self.label) + _BESIDES


_BESIDES = 256


class CacheStatus(Struct, kw_only=True, gc=False):
    """A tenant's part of a store."""

    entries: int = 0
    size: int = 0
    hits: int = 0
    misses: int = 0
    saved_nano: int = 0
    is_on: bool = True
    is_away: bool = False


NOTHING_FOUND = Found()
