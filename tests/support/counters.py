"""Counters as the books keep them on Redis: five doubles, in the order of the fields here."""

import struct
from typing import NamedTuple


class Counter(NamedTuple):
    """What an account counts in one window."""

    start: int
    ends: int
    spent: int
    held: int
    cooldown: int


def read_counter(packed: bytes) -> Counter:
    """The numbers of a key's value, which are whole ones."""
    numbers = struct.unpack("<5d", packed)
    assert all(number == int(number) for number in numbers)
    return Counter(*map(int, numbers))
