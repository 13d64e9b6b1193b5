"""A breaker per deployment: it stops calls to what is ill, and lets one through to see if it is well."""

from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after so many failures in a row; after a rest, one probe decides."""

    __slots__ = ("_failures", "_probe_until", "rest", "threshold", "until")

    def __init__(self, *, threshold: int = 5, rest: float = 60.0) -> None:
        self.threshold = threshold
        self.rest = rest
        self.until: float | None = None
        """When its rest ends; None while it is closed."""
        self._failures = 0
        self._probe_until: float | None = None

    @property
    def is_well(self) -> bool:
        """Nothing speaks against the deployment: a new breaker would be the same."""
        return not self._failures and self.until is None

    def state(self, now: float) -> State:
        """What the breaker is now."""
        if self.until is None:
            return "closed"
        return "half_open" if now >= self.until else "open"

    def admits(self, now: float) -> bool:
        """Whether a call may go through; a `half_open` breaker gives its one probe to who asks first.

        A probe that never reports back (its caller left) does not hold the place for ever.
        """
        state = self.state(now)
        if state != "half_open":
            return state == "closed"
        if self._probe_until is not None and now < self._probe_until:
            return False
        self._probe_until = now + self.rest
        return True

    def stand_back(self, until: float) -> None:
        """The probe is another's: nobody here needs to ask again before that."""
        self._probe_until = until

    def succeeded(self, now: float) -> bool:
        """A call was answered; whether that closed it. While it rests, such a call is one from before."""
        was_open = self.until is not None
        if self.until is not None and now < self.until:
            return False
        self.close()
        return was_open

    def failed(self, now: float) -> bool:
        """A call failed in a way that says the deployment is ill; whether that opened it.

        While it rests, failures tell nothing new: they are of calls from before.
        """
        if self.until is not None and now < self.until:
            return False
        self._failures += 1
        if self.until is None and self._failures < self.threshold:
            return False
        self.open(now + self.rest)
        return True

    def open(self, until: float) -> None:
        """Let nothing through before that."""
        self.until = until
        self._probe_until = None

    def close(self) -> None:
        """Let everything through, and forget what went wrong."""
        self._failures = 0
        self.until = self._probe_until = None
