"""Step 5: the order in which deployments are tried."""

from collections.abc import Callable, Iterator, Mapping
from random import Random

from gateway.call import Call
from gateway.catalog import Deployment, Model, Snapshot
from gateway.errors import ContentRefused, ContextTooLong, ProviderError
from gateway.principal import Principal
from gateway.wires import wire_for

_CAUSES: Mapping[type[ProviderError], str] = {
    ContextTooLong: "context_length",
    ContentRefused: "content_policy",
}

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


def order_deployments(model: Model, random: Random, usable: Usable) -> list[Deployment]:
    """By priority; among equals the tenant's own first, then by chance in proportion to weight."""
    fitting = [deployment for deployment in model.deployments if usable(deployment)]
    if len(fitting) < 2:
        return fitting
    return sorted(fitting, key=lambda one: (one.priority, one.provider.tenant_id is None, _lot(one, random)))


class Candidates:
    """Which deployment is next: the model's own, then its fallbacks for what went wrong."""

    def __init__(self, model: Model, snapshot: Snapshot, random: Random, usable: Usable) -> None:
        self._model = model
        self._snapshot = snapshot
        self._random = random
        self._usable = usable
        self._waiting = order_deployments(model, random, usable)
        self._fallen_back: set[str] = set()
        self._cause = "error"
        self.tried: list[Deployment] = []

    def next(self) -> Deployment | None:
        """The next that has not been tried yet."""
        if not self._waiting:
            self._waiting.extend(self._fallbacks())
        return self._waiting.pop(0) if self._waiting else None

    def go_on(self, deployment: Deployment, error: ProviderError) -> bool:
        """Take note of a failure; whether another candidate may do better.

        Where the request itself is the trouble (too long, refused for its content), the other
        deployments of the same model would fail alike, and only fallbacks for that cause are left.
        """
        cause = _CAUSES.get(type(error))
        if cause is None:
            self.tried.append(deployment)
            return error.retryable
        self._cause = cause
        self._waiting.clear()
        self.tried.clear()
        return True

    def _fallbacks(self) -> Iterator[Deployment]:
        for name in (*self._model.fallbacks.get(self._cause, ()), *self._model.fallbacks.get("any", ())):
            model = None if name in self._fallen_back else self._snapshot.find(name)
            self._fallen_back.add(name)
            if model is not None:
                yield from order_deployments(model, self._random, self._usable)


def _lot(deployment: Deployment, random: Random) -> float:
    """Exponential race: the chance to be first is proportional to the weight."""
    return random.expovariate(deployment.weight) if deployment.weight > 0 else float("inf")
