"""The way to a provider: one of its keys, and a place under what that key and the deployment allow."""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from gateway.catalog import Deployment, ProviderKey
from gateway.errors import ProviderError
from gateway.ids import uuid7
from gateway.keyring import Keyring
from gateway.ports import Clock, Turnstile
from gateway.tab import Tab
from gateway.turns import QueueFull, Quota, QuotaUsedUp, Turn


class Place(Struct, frozen=True, kw_only=True):
    """What an attempt was given."""

    deployment: Deployment
    """With the key that opens its provider."""
    key: ProviderKey | None = None
    turns: tuple[tuple[Quota, Turn], ...] = ()


def needs_place(deployment: Deployment) -> bool:
    """Whether there is anything to choose, or to wait for."""
    keys = deployment.provider.keys
    if deployment.max_parallel is not None or len(keys) > 1:
        return True
    return bool(keys) and keys[0].is_limited


class Entrance:
    """Chooses keys, and takes and gives back places."""

    def __init__(self, turnstile: Turnstile, clock: Clock) -> None:
        self.keyring = Keyring()
        self._turnstile = turnstile
        self._clock = clock
        self._leaving: set[asyncio.Task[None]] = set()

    async def enter(self, tab: Tab, deployment: Deployment) -> Place:
        """A key and a place; `QuotaUsedUp` if there is none, or none in the time that is left to wait."""
        provider = deployment.provider
        turn = Turn(
            id=uuid7(),
            tenant_id=tab.principal.tenant_id,
            priority=tab.priority,
            tokens=tab.attempt_amounts.tokens,
        )
        turns: list[tuple[Quota, Turn]] = []
        now = self._clock.monotonic()
        until = now + max(0.0, tab.begin_to_wait(now)) if tab.may_wait else now
        try:
            if deployment.max_parallel is not None:
                whole = Quota(id=f"deployment:{deployment.id.hex}", parallel=deployment.max_parallel)
                await self._take(tab, whole, turn, turns, until, deployment.name)
            key = await self._key(tab, deployment, turn, turns, until)
        except BaseException as error:
            self._give_back(turns, 0)
            if isinstance(error, QuotaUsedUp):
                is_whole = deployment.max_parallel is not None and not turns
                tab.note("full", deployment.name, _full(error, deployment, is_whole=is_whole))
            raise
        if key is not None and key.secret is not provider.secret:
            deployment = replace(deployment, provider=replace(provider, secret=key.secret))
        return Place(deployment=deployment, key=key, turns=tuple(turns))

    def leave(self, place: Place, tokens: int) -> None:
        """Give the places back; nobody waits for it."""
        self._give_back(place.turns, tokens)

    def heard(self, tab: Tab, place: Place, error: ProviderError) -> bool:
        """Take note of a failure; whether another key of the same provider may do better at once."""
        now = self._clock.monotonic()
        if place.key is None or not self.keyring.heard(place.key, error, now):
            return False
        tab.note("key_rests", f"{place.deployment.provider.name}/{place.key.name}", error.code)
        return self.keyring.has_other(place.deployment.provider, place.key, now)

    async def drain(self) -> None:
        """Wait until what was given back is given back."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _key(
        self, tab: Tab, deployment: Deployment, turn: Turn, turns: list[tuple[Quota, Turn]], until: float
    ) -> ProviderKey | None:
        keys = self.keyring.order(deployment.provider, self._clock.monotonic(), self._busy)
        refused: QuotaUsedUp | None = None
        for key in keys:
            quota = _quota_of(key)
            try:
                if quota is not None:
                    await self._take(tab, quota, turn, turns, 0.0, deployment.name)
            except QuotaUsedUp as error:
                refused = error if refused is None or _sooner(error, refused) else refused
            else:
                return key
        if refused is None:
            return None
        first = _quota_of(keys[0])
        if first is None or self._clock.monotonic() >= until:
            raise refused
        await self._take(tab, first, turn, turns, until, deployment.name)
        return keys[0]

    async def _take(
        self,
        tab: Tab,
        quota: Quota,
        turn: Turn,
        turns: list[tuple[Quota, Turn]],
        until: float,
        where: str,
    ) -> None:
        wait = max(0.0, until - self._clock.monotonic())
        most, began = tab.principal.policy.queue_length, self._clock.monotonic()
        try:
            waited = await self._turnstile.enter(
                quota, turn, wait=wait, most_waiting=most, seen=tab.see_position
            )
        except BaseException:
            tab.note_wait(where, self._clock.monotonic() - began if wait else 0.0)
            raise
        tab.note_wait(where, waited)
        turns.append((quota, turn))

    def _busy(self, key: ProviderKey) -> float:
        quota = _quota_of(key)
        return 0.0 if quota is None else self._turnstile.busy(quota)

    def _give_back(
        self, turns: "tuple[tuple[Quota, Turn], ...] | list[tuple[Quota, Turn]]", tokens: int
    ) -> None:
        for quota, turn in turns:
            task = asyncio.create_task(self._turnstile.leave(quota, turn, tokens=tokens))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


def _quota_of(key: ProviderKey) -> Quota | None:
    if not key.is_limited:
        return None
    return Quota(id=f"key:{key.id.hex}", rpm=key.rpm, tpm=key.tpm, parallel=key.parallel)


def _full(error: QuotaUsedUp, deployment: Deployment, *, is_whole: bool) -> str:
    """Which limits there are where there was no place."""
    if isinstance(error, QueueFull):
        return error.code
    if is_whole:
        return "deployment: parallel"
    limits = [
        name
        for name in ("rpm", "tpm", "parallel")
        if any(getattr(key, name) is not None for key in deployment.provider.keys)
    ]
    return f"key: {', '.join(limits)}"


def _sooner(one: QuotaUsedUp, other: QuotaUsedUp) -> bool:
    return (one.retry_after or 0.0) < (other.retry_after or 0.0)
