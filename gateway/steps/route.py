"""Step 5: the order in which deployments are tried."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from gateway.call import Call
from gateway.catalog import Deployment, Model, Snapshot
from gateway.errors import (
    ContentRefused,
    ContextTooLong,
    GatewayError,
    ProviderError,
    Untranslatable,
)
from gateway.principal import Principal
from gateway.strategies import Facts, grouped, how_ordered, order_equals
from gateway.tab import Tab
from gateway.turns import QuotaUsedUp
from gateway.wires import wire_for

_CAUSES: Mapping[type[ProviderError], str] = {
    ContextTooLong: "context_length",
    ContentRefused: "content_policy",
}

OF_ANOTHER_TENANT = "of_another_tenant"

Failure = ProviderError | QuotaUsedUp | Untranslatable
"""What another candidate may do better at."""
Usable = Callable[[Deployment], bool]


def usable_by(call: Call, principal: Principal) -> Usable:
    """Whether a deployment can take this caller's call: it can, may, and is theirs or everyone's."""

    def usable(deployment: Deployment) -> bool:
        provider = deployment.provider
        return (
            provider.tenant_id in (None, principal.tenant_id)
            and call.ask.provider in ("", provider.name)
            and wire_for(call.ask, provider) is not None
        )

    return usable


def why_left_out(call: Call, principal: Principal, deployment: Deployment) -> str:
    """Why a deployment cannot take a caller's call that `usable_by` or `screen` keeps from it."""
    provider = deployment.provider
    if provider.tenant_id not in (None, principal.tenant_id):
        return OF_ANOTHER_TENANT
    if call.ask.provider not in ("", provider.name):
        return "not_the_provider_named"
    if wire_for(call.ask, provider) is None:
        return "cannot_be_asked_so"
    return "not_secure_enough"


def note_left_out(tab: Tab, model: Model, order: Sequence[Deployment] = ()) -> None:
    """Tell of the deployments that do not stand in the order."""
    for deployment in model.deployments:
        if deployment not in order:
            tab.note("left_out", deployment.name, why_left_out(tab.call, tab.principal, deployment))


def order_deployments(model: Model, facts: Callable[[], Facts], usable: Usable) -> list[Deployment]:
    """By priority; among equals the tenant's own first, then by the model's strategy."""
    fitting = [deployment for deployment in model.deployments if usable(deployment)]
    if len(fitting) < 2:
        return fitting
    told = facts()
    return [one for equals in grouped(fitting) for one in order_equals(equals, model, told)]


class Candidates:
    """Which deployment is next: the model's own, then its fallbacks for what went wrong."""

    def __init__(self, tab: Tab, snapshot: Snapshot, facts: Callable[[], Facts], usable: Usable) -> None:
        self._tab = tab
        self._model = tab.model
        self._snapshot = snapshot
        self._facts = facts
        self._usable = usable
        self._waiting = self._ordered(tab.model)
        self._fallen_back: set[str] = set()
        self._causes: dict[str, None] = {}
        """What has gone wrong so far, to find who does better at it."""
        self.tried: list[Deployment] = []
        """Those that failed, and may do better later."""
        self.full: list[Deployment] = []
        """Those that could take no call more, and may be waited for."""

    def next(self) -> Deployment | None:
        """The next that has not been tried yet."""
        if not self._waiting:
            self._waiting.extend(self._fallbacks())
        return self._waiting.pop(0) if self._waiting else None

    def spare(self) -> Deployment | None:
        """Another deployment of the same model, for a second try beside the first."""
        return self._waiting.pop(0) if self._waiting else None

    def again_at_once(self, deployment: Deployment) -> None:
        """It is next once more: another of its provider's keys may do better."""
        self._waiting.insert(0, deployment)

    def go_on(self, deployment: Deployment, error: Failure) -> bool:
        """Take note of a failure; whether another candidate may do better.

        Where the request itself is the trouble (too long, refused for its content), the other
        deployments of the same model would fail alike, and only fallbacks for that cause are left.
        Whose format cannot say the request is left alone; the next one's may. Nobody heard of the attempt.
        """
        if isinstance(error, Untranslatable):
            return True
        if isinstance(error, QuotaUsedUp):
            self.full.append(deployment)
            self._causes["budget"] = None
            return True
        cause = _CAUSES.get(type(error))
        if cause is None:
            self.tried.append(deployment)
            self._causes["error"] = None
            return error.retryable
        self._causes = {cause: None}
        self._waiting.clear()
        self.tried.clear()
        return True

    @staticmethod
    def worse(before: GatewayError | None, now: GatewayError) -> GatewayError:
        """Which of two failures counts in the end: that a format could not say it tells the least."""
        return before if before is not None and isinstance(now, Untranslatable) else now

    def _fallbacks(self) -> Iterator[Deployment]:
        for cause in (*(self._causes or ("error",)), "any"):
            for name in self._model.fallbacks.get(cause, ()):
                model = None if name in self._fallen_back else self._snapshot.find(name)
                self._fallen_back.add(name)
                if model is not None:
                    self._tab.note("fell_back", model.name, cause)
                    yield from self._ordered(model)

    def _ordered(self, model: Model) -> list[Deployment]:
        """Those that fit, in their order; the tab hears of it where there was a choice."""
        order, tab = order_deployments(model, self._facts, self._usable), self._tab
        if len(order) == len(model.deployments) == 1 and model is tab.model:
            return order
        if len(order) < len(model.deployments):
            note_left_out(tab, model, order)
        if len(order) > 1:
            tab.note("ordered", model.name, how_ordered(order, model, self._facts()))
        if len(model.deployments) > 1 or model is not tab.model:
            tab.candidates += [deployment.name for deployment in order]
        return order
