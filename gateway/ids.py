"""UUIDv7: ids that sort by the moment they were minted, so that the ledger's months prune by id."""

import os
import time
from uuid import UUID

_MILLISECOND_SHIFT = 80
_VERSION_AND_VARIANT = (0x7 << 76) | (0x2 << 62)
_RANDOM_MASK = ((0xFFF << 64) | ((1 << 62) - 1)) & ~_VERSION_AND_VARIANT


def uuid7(milliseconds: int | None = None) -> UUID:
    """Mint an id for now, or for the given moment."""
    moment = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    random = int.from_bytes(os.urandom(10), "big") & _RANDOM_MASK
    return UUID(int=(moment << _MILLISECOND_SHIFT) | _VERSION_AND_VARIANT | random)


def first_id(milliseconds: int) -> UUID:
    """The lowest id of a moment: dates become id bounds, which prune partitions."""
    return UUID(int=(milliseconds << _MILLISECOND_SHIFT) | _VERSION_AND_VARIANT)


def moment_of(identifier: UUID) -> int:
    """Milliseconds since the epoch at which the id was minted."""
    return identifier.int >> _MILLISECOND_SHIFT
