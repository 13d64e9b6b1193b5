"""A breaker per deployment: it stops calls to what is ill, and lets one through to see if it is well."""

from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after so many failures in a row; after a rest, one probe decides."""

    __slots__ = ("_failures", "_opened_at", "_probe_since", "rest", "threshold")

    def __init__(self, *, threshold: int = 5, rest: float = 60.0) -> None:
        self.threshold = threshold
        self.rest = rest
        self._failures = 0
        self._opened_at: float | None = None
        self._probe_since: float | None = None

    @property
    def is_well(self) -> bool:
        """Nothing speaks against the deployment: a new breaker would be the same."""
        return not self._failures and self._opened_at is None

    def state(self, now: float) -> State:
        """What the breaker is now."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if now >= self._opened_at + self.rest else "open"

    def admits(self, now: float) -> bool:
        """Whether a call may go through; a `half_open` breaker gives its one probe to who asks first.

        A probe that never reports back (its caller left) does not hold the place for ever.
        """
        state = self.state(now)
        if state != "half_open":
            return state == "closed"
        if self._probe_since is not None and now < self._probe_since + self.rest:
            return False
        self._probe_since = now
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = 0
        self._opened_at = self._probe_since = None

    def failed(self, now: float) -> None:
        """A call failed in a way that says the deployment is ill."""
        self._failures += 1
        if self._opened_at is not None or self._failures >= self.threshold:
            self._opened_at = now
            self._probe_since = None
