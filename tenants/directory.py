"""The engine's directory over the database: principals are kept while the revision stands, and never long.

A key that is looked up is remembered for ten seconds at most, counted from its loading, and only while
no configuration write has happened. An unknown key is remembered too, more briefly, so that guessing
does not reach the database each time. Memory is bounded: whoever was not asked for longest goes first.

While the database is away, what was known before still counts, and nobody waits for it to come back.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Generic, TypeVar

from channels.db import database_sync_to_async
from django.db import DatabaseError
from msgspec.structs import replace

from gateway.call import Origin
from gateway.errors import ConfigurationAway, GatewayError, Unauthenticated
from gateway.ports import Clock
from gateway.principal import EndUser, Principal
from tenants.principals import Known, end_user_load, known_load, network_check
from tenants.watch import ANSWERS_WITHIN

KEEP_SECONDS = 10.0
KEEP_UNKNOWN_SECONDS = 2.0
_REMEMBERED_AT_MOST = 20_000

_Found = TypeVar("_Found")


class _Memory(Generic[_Found]):
    """What was loaded, until the revision moves or its time is over."""

    def __init__(
        self, *, clock: Clock, revision: Callable[[], int], away: Callable[[], bool], answers_within: float
    ) -> None:
        self._clock = clock
        self._revision = revision
        self._away = away
        self._answers_within = answers_within
        self._kept: OrderedDict[tuple[object, ...], tuple[int, float, _Found | GatewayError]] = OrderedDict()
        self._loading: dict[tuple[object, ...], asyncio.Task[_Found]] = {}

    def find(self, key: tuple[object, ...]) -> _Found | None:
        """The value, if it still counts; an error that was remembered is raised again."""
        kept = self._kept.get(key)
        if kept is None or kept[0] != self._revision() or kept[1] <= self._clock.monotonic():
            return None
        if isinstance(kept[2], GatewayError):
            raise kept[2].with_traceback(None)
        return kept[2]

    async def load(self, key: tuple[object, ...], loader: Callable[[], Awaitable[_Found]]) -> _Found:
        """Load and remember, refusals too; whoever asks for the same meanwhile waits for the one load."""
        if self._away():
            return self._stale(key)
        revision = self._revision()
        loading = self._loading.get((key, revision))
        if loading is None:
            loading = self._loading[key, revision] = asyncio.create_task(self._load(key, revision, loader))
            loading.add_done_callback(lambda _: self._loading.pop((key, revision)))
        return await asyncio.shield(loading)

    async def _load(
        self, key: tuple[object, ...], revision: int, loader: Callable[[], Awaitable[_Found]]
    ) -> _Found:
        try:
            async with asyncio.timeout(self._answers_within):
                found = await loader()
        except GatewayError as error:
            self._keep(key, revision, KEEP_UNKNOWN_SECONDS, error)
            raise
        except (DatabaseError, TimeoutError) as error:
            return self._stale(key, error)
        self._keep(key, revision, KEEP_SECONDS, found)
        return found

    def _stale(self, key: tuple[object, ...], cause: Exception | None = None) -> _Found:
        """What was known before."""
        kept = self._kept.get(key)
        if kept is None or isinstance(kept[2], GatewayError):
            raise ConfigurationAway from cause
        return kept[2]

    def _keep(
        self, key: tuple[object, ...], revision: int, seconds: float, found: _Found | GatewayError
    ) -> None:
        self._kept[key] = (revision, self._clock.monotonic() + seconds, found)
        self._kept.move_to_end(key)
        if len(self._kept) > _REMEMBERED_AT_MOST:
            self._kept.popitem(last=False)


class DatabaseDirectory:
    """Keys to principals, and names to end users."""

    def __init__(
        self,
        *,
        clock: Clock,
        revision: Callable[[], int],
        away: Callable[[], bool] = lambda: False,
        reach: Callable[[int], Awaitable[None]] | None = None,
        answers_within: float = ANSWERS_WITHIN,
    ) -> None:
        self._clock = clock
        self._revision = revision
        self._reach = reach
        self._known: _Memory[Known] = _Memory(
            clock=clock, revision=revision, away=away, answers_within=answers_within
        )
        self._end_users: _Memory[EndUser] = _Memory(
            clock=clock, revision=revision, away=away, answers_within=answers_within
        )

    async def identify(self, origin: Origin) -> Principal:
        """Who calls."""
        key = (sha256(origin.credential.encode()).digest(), origin.tenant, origin.project)
        known = self._known.find(key)
        if known is None:
            known = await self._known.load(key, lambda: _load_known(origin, self._revision()))
        if known.valid_until is not None and known.valid_until.timestamp() <= self._clock.now():
            raise Unauthenticated("This key has expired.")
        if known.networks:
            network_check(origin.address, known.networks)
        return known.principal

    async def catch_up(self, revision: int) -> None:
        """Know the configuration as it is at this revision or a later one."""
        if self._reach is not None:
            try:
                await self._reach(revision)
            except (DatabaseError, TimeoutError) as error:
                raise ConfigurationAway from error

    async def end_user(self, principal: Principal, name: str) -> EndUser:
        """The person behind an app."""
        key = (principal.tenant_id, name)
        found = self._end_users.find(key)
        if found is None:
            found = await self._end_users.load(key, lambda: _load_end_user(principal, name))
        return found


async def _load_known(origin: Origin, revision: int) -> Known:
    load: Callable[..., Awaitable[Known]] = database_sync_to_async(known_load)
    known = await load(credential=origin.credential, tenant_name=origin.tenant, project_name=origin.project)
    return replace(known, principal=replace(known.principal, revision=revision))


async def _load_end_user(principal: Principal, name: str) -> EndUser:
    load: Callable[..., Awaitable[EndUser]] = database_sync_to_async(end_user_load)
    return await load(principal=principal, name=name)
