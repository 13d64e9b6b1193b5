"""Orders at one quota as the script reads them, and what it says to them."""

from uuid import UUID

from msgspec import Struct

from gateway.turns import Quota, Turn

GRANTED, WAITS, REFUSED, FULL, GONE = 1, 2, 3, 4, 5
"""How an answer begins."""

UNKNOWN_WINDOW = -1
"""Nobody has heard whether, and in which minute, it was let in."""
ELSEWHERE = 0
"""A minute long ago: it was let in where Redis did not count it."""

_ENTER, _LEAVE, _WITHDRAW, _TEND = 1, 2, 3, 4
_LONGEST_WAIT_MS = 3_600_000

Order = tuple[object, ...]
Answer = list[int]
"""How it begins, then: window and tokens if granted, a place in line, or milliseconds until another try."""


class Figures(Struct, frozen=True, gc=False):
    """How a quota stood when Redis last spoke of it."""

    places: int
    requests: int
    tokens: int
    heard_at: float
    minute_ends_at: float


def entering(turn: Turn, *, wait: float, most_waiting: int, channel: str) -> Order:
    """Ask for a place; where one has been given to the same turn, that one is told again."""
    wait_ms = min(round(wait * 1000), _LONGEST_WAIT_MS)
    tenant = turn.tenant_id.hex
    return (_ENTER, turn.id.hex, tenant, turn.rank, turn.cost, turn.tokens, wait_ms, most_waiting, channel)


def leaving(identifier: UUID, *, window: int, held: int, tokens: int) -> Order:
    """Give a place back."""
    return (_LEAVE, identifier.hex, window, held, tokens, False)


def giving_up(turn: Turn) -> Order:
    """Leave the line or the place, whichever it is in; no provider has heard of it."""
    return (_LEAVE, turn.id.hex, UNKNOWN_WINDOW, turn.tokens, 0, True)


def withdrawing(turn: Turn) -> Order:
    """Leave the line, unless there is a place after all."""
    return (_WITHDRAW, turn.id.hex, turn.tokens)


def tending(waiting: list[str], taken: list[str]) -> Order:
    """Renew the leases of those that wait and of places, and ask what became of the former."""
    return (_TEND, waiting, taken)


def limits_of(quota: Quota) -> tuple[int, int, int]:
    """Its limits; below 0 there is none."""
    rpm, tpm, parallel = (-1 if limit is None else limit for limit in (quota.rpm, quota.tpm, quota.parallel))
    return rpm, tpm, parallel
