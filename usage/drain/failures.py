"""What a drain can meet, and which of the servers' own errors mean what."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from redis.exceptions import RedisError

_ABOUT_THE_DATA = ("22", "23", "54")
"""Classes of SQLSTATE that stay as long as the line does: data, constraints, limits. All else may pass."""
_FORGOTTEN = ("NOGROUP", "UNBLOCKED", "no such key")
"""How Redis begins to say that a stream or its group is not there any more."""


class Refused(Exception):
    """PostgreSQL does not take what is in these lines."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Away(Exception):
    """Redis or PostgreSQL cannot do its part now; the lines are fine."""


class Forgotten(Away):
    """Redis was emptied, as it is before a first start: what it forgot is made anew."""


@contextmanager
def postgresql_faults() -> Iterator[None]:
    """Let PostgreSQL's errors come out as ours.

    Without their causes: what a server says about a line quotes it, and would end up in a log.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        if state is not None and state[:2] in _ABOUT_THE_DATA:
            raise Refused(state) from None
        raise Away(f"PostgreSQL: {f'SQLSTATE {state}' if state else error}") from None


@contextmanager
def redis_faults() -> Iterator[None]:
    """Let Redis's errors come out as ours, that of a group that went with a wiped Redis too."""
    try:
        yield
    except RedisError as error:
        kind = Forgotten if str(error).startswith(_FORGOTTEN) else Away
        raise kind(f"Redis: {error}") from error
