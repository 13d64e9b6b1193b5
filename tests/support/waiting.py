"""Waiting for what another process does, no longer than it may take.

What another process does sets no event here: it is looked at again and again, and nowhere else than here.
"""

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

_PAUSE_SECONDS = 0.01

_Seen = TypeVar("_Seen")


def eventually(look: Callable[[], _Seen], *, within: float = 10.0) -> _Seen:
    """What a look sees once it is something; at the end of the time, whatever it saw last."""
    until, pause = time.monotonic() + within, Event()
    while not (seen := look()) and time.monotonic() < until:
        pause.wait(_PAUSE_SECONDS)
    return seen
