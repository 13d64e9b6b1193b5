"""Whatever happens in whatever order, a breaker keeps its rules."""

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.breaker import Breaker

REST = 60.0


class BreakerRules(RuleBasedStateMachine):
    """A breaker beside the plainest account of what it was told."""

    @initialize(threshold=some.integers(1, 6))
    def begin(self, threshold: int) -> None:
        self.breaker = Breaker(threshold=threshold, rest=REST)
        self.now = 0.0
        self.in_a_row = 0
        self.opened: float | None = None
        self.probed: float | None = None

    @rule(seconds=some.sampled_from([0.0, 1.0, 29.0, 30.0, 59.0, 60.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def fail(self) -> None:
        rests = self.opened is not None and self.now < self.opened + REST
        opens = not rests and (self.opened is not None or self.in_a_row + 1 >= self.breaker.threshold)
        assert self.breaker.failed(self.now) is opens
        self.in_a_row += not rests
        if opens:
            self.opened, self.probed = self.now, None

    @rule()
    def succeed(self) -> None:
        rests = self.opened is not None and self.now < self.opened + REST
        assert self.breaker.succeeded(self.now) is (self.opened is not None and not rests)
        if not rests:
            self.in_a_row, self.opened, self.probed = 0, None, None

    @rule()
    def ask(self) -> None:
        admits = self.breaker.admits(self.now)
        if self.opened is None:
            assert admits
            return
        rested = self.now >= self.opened + REST
        free = self.probed is None or self.now >= self.probed + REST
        assert admits is (rested and free)
        if admits:
            self.probed = self.now

    @rule()
    def ask_twice(self) -> None:
        if self.opened is not None:
            assert [self.breaker.admits(self.now) for _ in range(2)].count(True) <= 1
            rested = self.now >= self.opened + REST
            if rested and (self.probed is None or self.now >= self.probed + REST):
                self.probed = self.now

    @invariant()
    def tells_its_state(self) -> None:
        if self.opened is None:
            assert self.breaker.state(self.now) == "closed"
        else:
            rested = self.now >= self.opened + REST
            assert self.breaker.state(self.now) == ("half_open" if rested else "open")
        assert self.breaker.is_well is (self.in_a_row == 0 and self.opened is None)


TestBreakerRules = BreakerRules.TestCase
TestBreakerRules.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
