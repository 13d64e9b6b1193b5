"""Waiting for what another process does, no longer than it may take."""

import time
from collections.abc import Callable
from typing import TypeVar

_PAUSE_SECONDS = 0.01

_Seen = TypeVar("_Seen")


def eventually(look: Callable[[], _Seen], *, within: float = 10.0) -> _Seen:
    """What a look sees once it is something; at the end of the time, whatever it saw last."""
    until = time.monotonic() + within
    while not (seen := look()) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    return seen
