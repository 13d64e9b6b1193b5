"""Sees to it that one process at a time has the embedded books."""

import fcntl
from pathlib import Path
from typing import IO


class BooksTaken(RuntimeError):
    """Another process has these books open; the embedded books belong to one."""


def lock_beside(path: Path) -> IO[str]:
    """Lock a file beside the books until it is closed, or `BooksTaken`."""
    lock = path.with_name(f"{path.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise BooksTaken(BooksTaken.__doc__) from error
    return lock
