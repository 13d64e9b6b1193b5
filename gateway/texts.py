"""The texts in a prompt or an answer, wherever they sit in it."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

_NOT_SPOKEN = frozenset({"role", "type", "id", "object", "finish_reason"})


def _decoded(value: Raw) -> Any:
    try:
        return msgspec.json.decode(value)
    except RecursionError:
        return bytes(value).decode()


def texts_in(value: Raw | None) -> Iterator[str]:
    """Every string that a model reads or says."""
    waiting: list[Any] = [] if value is None else [_decoded(value)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(item for name, item in one.items() if name not in _NOT_SPOKEN)
        elif isinstance(one, list):
            waiting.extend(one)
