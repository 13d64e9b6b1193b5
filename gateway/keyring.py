"""Several keys of one provider: the one with most room is used, and one that was refused rests."""

from collections.abc import Callable
from uuid import UUID

from gateway.catalog import Provider, ProviderKey
from gateway.errors import ProviderError, ProviderOverloaded, ProviderRefusedKey

REST_REFUSED = 60.0
"""Seconds that a key rests which the provider does not know: somebody has to mend it."""
REST_OVERLOADED = 5.0
"""Seconds that a key rests which is used up, where the provider does not say for how long."""
_RESTING_AT_MOST = 10_000

Busy = Callable[[ProviderKey], float]


class Keyring:
    """What a process remembers of providers' keys."""

    def __init__(self) -> None:
        self._rests_until: dict[UUID, float] = {}

    def order(self, provider: Provider, now: float, busy: Busy) -> list[ProviderKey]:
        """The keys to try: those that are well, the least busy first; then those that rest, by their rest."""
        if len(provider.keys) < 2:
            return list(provider.keys)
        return sorted(
            provider.keys, key=lambda key: (max(self._rests_until.get(key.id, 0.0), now), busy(key))
        )

    def has_other(self, provider: Provider, key: ProviderKey, now: float) -> bool:
        """Whether another key is well while this one rests."""
        others = (one for one in provider.keys if one.id != key.id)
        return any(self._rests_until.get(one.id, 0.0) <= now for one in others)

    def heard(self, key: ProviderKey, error: ProviderError, now: float) -> bool:
        """Let a key rest if the error speaks against it; whether it does."""
        if isinstance(error, ProviderRefusedKey):
            self._rests_until[key.id] = now + REST_REFUSED
        elif isinstance(error, ProviderOverloaded):
            self._rests_until[key.id] = now + (error.retry_after or REST_OVERLOADED)
        else:
            return False
        if len(self._rests_until) > _RESTING_AT_MOST:
            self._rests_until = {one: until for one, until in self._rests_until.items() if until > now}
        return True
