"""Whether, and after how long, a failed attempt is followed by another."""

from msgspec import Struct

from gateway.errors import GatewayError


class Effort(Struct, frozen=True, kw_only=True):
    """How hard a call is tried."""

    attempts: int = 3
    """In all, first included; every candidate is tried once even if there are more."""
    first_wait: float = 0.25
    longest_wait: float = 8.0


def backoff(effort: Effort, turn: int, chance: float, error: GatewayError) -> float:
    """Seconds to wait before going back to a deployment: doubling, with full jitter from `chance` in [0, 1).

    What the provider asks for in `Retry-After` is the least. Longer than the longest wait is not waited
    here: the caller is told instead, and may.
    """
    ceiling: float = min(effort.longest_wait, effort.first_wait * 2 ** max(0, turn))
    return max(ceiling * chance, error.retry_after or 0.0)
