"""What was worked out before and may be asked for again: those used longest ago give way."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_BESIDES = 256
"""Bytes that each takes beside what it is."""

_Name = TypeVar("_Name", bound=Hashable)
_Value = TypeVar("_Value")


class Remembered(Generic[_Name, _Value]):
    """Values by name, no more of them than so many bytes."""

    def __init__(self, bytes_at_most: int) -> None:
        self._bytes_at_most = bytes_at_most
        self._size = 0
        self._values: OrderedDict[_Name, tuple[_Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: _Name) -> _Value | None:
        """What is remembered under a name."""
        found = self._values.get(name)
        if found is None:
            return None
        self._values.move_to_end(name)
        return found[0]

    def put(self, name: _Name, value: _Value, size: int) -> None:
        """Remember it, in the place of others if need be."""
        size += _BESIDES
        if size > self._bytes_at_most:
            return
        _, before = self._values.pop(name, (None, 0))
        self._size -= before
        self._values[name] = value, size
        self._size += size
        while self._size > self._bytes_at_most:
            _, (_, given_back) = self._values.popitem(last=False)
            self._size -= given_back
