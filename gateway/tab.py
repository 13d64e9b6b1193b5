"""What is noted of one call while it runs; its ledger entry is written from it."""

from gateway.accounts import Amounts, Hold
from gateway.call import Attempt, Call, Event, Rate, Reply, Served, Usage
from gateway.catalog import Deployment, Model
from gateway.entry import Entry
from gateway.once import Recording
from gateway.principal import Principal
from gateway.wires import StreamReader

LEAST_SECONDS = 5.0
"""A call that no provider heard of has this long; the ledger has it whatever is left of the call's time."""


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
        "models",
        "principal",
        "rates",
        "reached",
        "recording",
        "reply",
        "served",
        "service_tier",
        "ttft",
        "upstream_seconds",
        "usage",
    )

    def __init__(
        self, call: Call, principal: Principal, models: tuple[Model, ...], model: Model, hold: Hold
    ) -> None:
        self.call = call
        self.principal = principal
        self.model = model
        self.models = models
        """All that may come to answer, fallbacks too."""
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
        self.reply: Reply | None = None
        """What the caller gets, once it is known."""
        self.recording: Recording | None = None
        """What the caller was sent, where it is to be told again."""
        self.rates: tuple[Rate, ...] = ()
        self.ttft: float | None = None
        self.upstream_seconds = 0.0

    def hear(self, reader: StreamReader, chunk: bytes) -> Event | None:
        """Note what a piece of the provider's stream says; what of it is for the caller."""
        event = reader.feed(chunk)
        self.usage, self.service_tier = reader.usage, reader.service_tier
        return event

    def seconds_left(self, monotonic: float) -> float:
        """What is left of the call's time; below 0 once it is over."""
        deployment = self.served or self.reached
        total = deployment.provider.timeouts.total if deployment else LEAST_SECONDS
        return self.call.started + (self.call.origin.timeout or total) - monotonic

    @property
    def skeleton(self) -> Entry:
        """The entry as it would be if nobody settled."""
        return self.hold.skeleton

    @property
    def attempt_amounts(self) -> Amounts:
        """What one attempt can take: the hold of the first."""
        return self.hold.amounts


def served_by(tab: Tab, deployment: Deployment | None) -> Served:
    """Who answers, in the caller's words; without a deployment it was the cache, or we counted ourselves."""
    counted = tab.call.ask.kind == "count"
    ours = "gateway" if counted else "cache"
    return Served(
        provider=deployment.provider.name if deployment else ours,
        deployment=deployment.name if deployment else ours,
        model=tab.model.name,
        cache="bypass" if deployment or counted else "hit",
        rates=tab.rates,
    )


def failed_at(tab: Tab) -> Served:
    """Who was asked last, if anybody was."""
    deployment = tab.reached
    return Served(
        provider=deployment.provider.name if deployment else "",
        deployment=deployment.name if deployment else "",
        model=tab.model.name,
        rates=tab.rates,
    )
