"""UUIDv7: ids that sort by the moment they were minted, so that the ledger's months prune by id."""

import os
import time
from random import Random
from uuid import UUID, SafeUUID

_MILLISECOND_SHIFT = 80
_VERSION_AND_VARIANT = (0x7 << 76) | (0x2 << 62)
_RANDOM_MASK = ((0xFFF << 64) | ((1 << 62) - 1)) & ~_VERSION_AND_VARIANT
_random = Random()  # noqa: S311 - ids are to be unique, not secret; seeded by the system
_bits = _random.getrandbits
_new, _set = UUID.__new__, object.__setattr__
os.register_at_fork(after_in_child=_random.seed)


def uuid7(milliseconds: int | None = None) -> UUID:
    """Mint an id for now, or for the given moment."""
    moment = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    return _made((moment << _MILLISECOND_SHIFT) | _VERSION_AND_VARIANT | (_bits(80) & _RANDOM_MASK))


def _made(number: int) -> UUID:
    """An id of a number that is known to be one: the constructor's checks take as long as all the rest."""
    made = _new(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", SafeUUID.unknown)
    return made


def first_id(milliseconds: int) -> UUID:
    """The lowest id of a moment: dates become id bounds, which prune partitions."""
    return UUID(int=(milliseconds << _MILLISECOND_SHIFT) | _VERSION_AND_VARIANT)


def moment_of(identifier: UUID) -> int:
    """Milliseconds since the epoch at which the id was minted."""
    return identifier.int >> _MILLISECOND_SHIFT
