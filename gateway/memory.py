"""Every port in memory: for tests, and for the engine in a plain script."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Container, Sequence
from uuid import UUID, uuid5

from msgspec.structs import replace

from gateway.accounts import (
    HOPELESS,
    Account,
    Hold,
    Kept,
    Order,
    Renewal,
    Settlement,
    Verdict,
    is_countable,
    uncovered_amounts,
)
from gateway.caching.values import NOTHING_FOUND, CacheStatus, Chosen, Found, Stored
from gateway.call import Origin
from gateway.catalog import Snapshot
from gateway.claims import Claims
from gateway.entry import Entry
from gateway.errors import Unauthenticated
from gateway.exchange import Request
from gateway.ports import Clock
from gateway.principal import EndUser, Principal
from gateway.responses.keeping import KEPT_AT_MOST, KEPT_SECONDS
from gateway.signs import Key, Sign
from gateway.standing import Standing, look_at, renew_windows
from gateway.tally import Tally

_DONE = Verdict()

Respond = Callable[[Request], tuple[int, dict[str, str], Sequence[bytes]]]


class SystemClock:
    """The machine's own time."""

    now = staticmethod(time.time)
    """Seconds since the epoch."""
    monotonic = staticmethod(time.monotonic)
    """Seconds that only go forward."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class MemoryBooks:
    """Books that live and die with the process."""

    def __init__(self, clock: SystemClock | None = None, *, lease_ms: int = 60_000) -> None:
        self.clock = clock or SystemClock()
        self.tally = Tally(lease_ms=lease_ms)
        self.claims = Claims()
        self.entries: dict[object, Entry] = {}

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Carry out orders."""
        now_ms = round(self.clock.now() * 1000)
        return [self._carry_out(order, now_ms) for order in orders]

    async def sweep(self) -> int:
        """Turn expired holds into unsettled entries."""
        now_ms = round(self.clock.now() * 1000)
        over = self.tally.expire(now_ms)
        self.entries.update((held.id, held.skeleton) for held in over)
        self.tally.forget(now_ms)
        self.claims.forget(now_ms)
        return len(over)

    async def look(self, _: UUID, accounts: Sequence[Account]) -> Sequence[Standing]:
        """How accounts stand."""
        return look_at(self.tally, accounts, round(self.clock.now() * 1000))

    async def reset(self, _: UUID, accounts: Sequence[Account]) -> int:
        """Begin windows anew."""
        return renew_windows(self.tally, accounts, round(self.clock.now() * 1000))

    def _carry_out(self, order: Order, now_ms: int) -> Verdict:
        if not is_countable(order):
            return HOPELESS
        if isinstance(order, Hold):
            return self.claims.admit(order, self.tally, now_ms)[0]
        if isinstance(order, Renewal):
            self.tally.renew(order.id, now_ms)
            return _DONE
        if order.opens:
            verdict, held = self.tally.take(order, now_ms)
            if held is not None:
                self.entries[order.entry.id] = order.entry
            return verdict
        self.claims.settle(order)
        settled = self.tally.settle(order, now_ms)
        if settled.known:
            self.entries.setdefault(settled.entry.id, settled.entry)
        elif settled.entry.id not in self.entries and not order.gives_back:
            self.entries[settled.entry.id] = settled.entry
            self.tally.spend(order.hold, uncovered_amounts(order), now_ms)
        return _DONE


class MemorySpill:
    """Keeps what the books could not take, until they can."""

    def __init__(self) -> None:
        self.holds: dict[UUID, Hold] = {}
        self.settlements: dict[UUID, Settlement] = {}

    async def keep(self, order: Kept) -> None:
        """Keep one."""
        if isinstance(order, Hold):
            self.holds[order.id] = order
        else:
            self.settlements[order.entry.id] = order

    async def kept(self, under_way: Container[UUID] = ()) -> Sequence[Kept]:
        """All of them, but for the holds of calls that are still under way."""
        holds = [hold for hold in self.holds.values() if hold.id not in under_way]
        return [*holds, *self.settlements.values()]

    async def forget(self, order: Kept) -> None:
        """The books have it."""
        if isinstance(order, Hold):
            self.holds.pop(order.id, None)
        else:
            self.settlements.pop(order.entry.id, None)


class MemoryConversations:
    """Keeps what was kept of answers, as long as the process lives."""

    def __init__(self, clock: Clock | None = None, *, most: int = KEPT_AT_MOST) -> None:
        self._clock = clock or SystemClock()
        self._most = most
        self._kept: dict[tuple[UUID, str], tuple[float, bytes]] = {}

    async def keep(self, tenant: UUID, name: str, sealed: bytes) -> None:
        """Keep one; the oldest of a tenant's give way."""
        self._kept.pop((tenant, name), None)
        self._kept[tenant, name] = self._clock.now(), sealed
        theirs = [key for key in self._kept if key[0] == tenant]
        for key in theirs[: -self._most]:
            del self._kept[key]

    async def find(self, tenant: UUID, name: str) -> bytes | None:
        """One that is not too old."""
        since, sealed = self._kept.get((tenant, name), (0.0, b""))
        return sealed if since > self._clock.now() - KEPT_SECONDS else None

    async def forget(self, tenant: UUID, name: str) -> bool:
        """Keep one no longer."""
        return self._kept.pop((tenant, name), None) is not None


class GlassVault:
    """Keeps things as they are: they do not leave the process."""

    def seal(self, plain: bytes) -> bytes:
        """The same."""
        return plain

    def open(self, sealed: bytes) -> bytes:
        """The same."""
        return sealed


class MemoryDirectory:
    """Principals by their key, as given."""

    def __init__(self, principals: dict[str, Principal]) -> None:
        self.principals = principals

    async def identify(self, origin: Origin) -> Principal:
        """Who calls."""
        try:
            return self.principals[origin.credential]
        except KeyError:
            raise Unauthenticated from None

    async def catch_up(self, revision: int) -> None:
        """Nothing changes here."""

    async def end_user(self, principal: Principal, name: str) -> EndUser:
        """Someone with no limits of their own."""
        return EndUser(id=uuid5(principal.tenant_id, name))


class MemoryCatalog:
    """A snapshot, as given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.current = snapshot

    def snapshot(self) -> Snapshot:
        """The snapshot."""
        return self.current


class MemorySigns:
    """What the gateways of one process tell each other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[Key, tuple[Sign, float]] = {}
        self._claimed: dict[Key, float] = {}

    async def tell(self, sign: Sign) -> int:
        """Let everybody know."""
        version = max((one.version for one, _ in self._told.values()), default=0) + 1
        self._told[sign.key] = replace(sign, version=version), self._clock.now()
        self._claimed.pop(sign.key, None)
        return version

    async def heard(self, within: float) -> Sequence[Sign]:
        """The latest of each, with what is left of its rest."""
        now = self._clock.now()
        return [
            replace(sign, rest=sign.rest - (now - at))
            for sign, at in self._told.values()
            if sign.is_open or now - at <= within
        ]

    async def claim(self, key: Key, rest: float) -> bool:
        """Take the one probe."""
        now = self._clock.now()
        sign, at = self._told.get(key, (None, now))
        if sign is not None and (not sign.is_open or now < at + sign.rest or now < self._claimed.get(key, 0)):
            return False
        self._claimed[key] = now + rest
        return True


class NoCache:
    """Keeps nothing."""

    is_on = False

    async def find(self, tenant: UUID, key: str, *, lead_seconds: float = 0.0) -> Found:
        """Nothing."""
        return NOTHING_FOUND

    async def keep(self, tenant: UUID, key: str, stored: Stored) -> None:
        """It is gone."""

    async def release(self, tenant: UUID, key: str) -> None:
        """Nobody waits."""

    async def clear(self, tenant: UUID, chosen: Chosen | None = None) -> int:
        """There is nothing."""
        return 0

    async def status(self, tenant: UUID) -> CacheStatus:
        """Off."""
        return CacheStatus(is_on=False)


class CannedAnswer:
    """An answer that is already here."""

    def __init__(self, status: int, headers: dict[str, str], pieces: Sequence[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces

    async def __aenter__(self) -> "CannedAnswer":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join(self._pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece, others having their turn in between."""
        for piece in self._pieces:
            yield piece
            await asyncio.sleep(0)


class LocalTransport:
    """A provider that is a function in this process."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def open(self, request: Request) -> CannedAnswer:
        """Ask the function."""
        return CannedAnswer(*self._respond(request))
