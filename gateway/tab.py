"""What is noted of one call while it runs; its ledger entry is written from it."""

from gateway.accounts import Amounts, Hold
from gateway.call import Attempt, Call, Rate, Usage
from gateway.catalog import Deployment, Model
from gateway.entry import Entry
from gateway.principal import Principal


class Tab:
    """The open tab of a call: what it may use, what happened, what it came to."""

    __slots__ = (
        "attempts",
        "call",
        "committed",
        "delivered",
        "hold",
        "maybe_billed",
        "model",
        "principal",
        "rates",
        "reached",
        "served",
        "service_tier",
        "ttft",
        "upstream_seconds",
        "usage",
    )

    def __init__(self, call: Call, principal: Principal, model: Model, hold: Hold) -> None:
        self.call = call
        self.principal = principal
        self.model = model
        self.hold = hold
        self.attempts: list[Attempt] = []
        self.reached: Deployment | None = None
        """The deployment that the current attempt's request went to."""
        self.served: Deployment | None = None
        """The deployment that answered."""
        self.usage: Usage | None = None
        self.service_tier = ""
        """The class of service that the provider says it gave, which has prices of its own."""
        self.delivered: list[str] = []
        self.committed = False
        """The caller has been sent something: no failover any more."""
        self.maybe_billed = 0
        """Attempts so far that the provider may bill, answered or not."""
        self.rates: tuple[Rate, ...] = ()
        self.ttft: float | None = None
        self.upstream_seconds = 0.0

    @property
    def skeleton(self) -> Entry:
        """The entry as it would be if nobody settled."""
        return self.hold.skeleton

    @property
    def attempt_amounts(self) -> Amounts:
        """What one attempt can take: the hold of the first."""
        return self.hold.amounts
