"""What the engine asks of the world. Each port has a memory twin, most in `gateway/memory.py`."""

from collections.abc import AsyncIterator, Callable, Collection, Container, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from gateway.accounts import Account, Kept, Order, Verdict
from gateway.caching.nearness import Near
from gateway.caching.values import CacheStatus, Chosen, Found, Stored
from gateway.call import Event, Origin, Served
from gateway.catalog import Snapshot
from gateway.entry import Entry
from gateway.exchange import Request
from gateway.principal import EndUser, Principal
from gateway.signs import Key, Sign
from gateway.standing import Standing
from gateway.turns import Quota, Turn

if TYPE_CHECKING:
    from gateway.reasons import Testimony


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Books(Protocol):
    """Accounts, holds and journal: what an order changes is durable when `post` returns."""

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Carry out orders, one verdict each, in their order; known ids change nothing again."""

    async def sweep(self) -> int:
        """Turn holds whose lease has ended into unsettled entries; how many there were."""

    async def look(self, tenant_id: UUID, accounts: Sequence[Account], /) -> Sequence[Standing]:
        """How a tenant's accounts stand, in their order; nothing moves."""

    async def reset(self, tenant_id: UUID, accounts: Sequence[Account], /) -> int:
        """Begin the windows of those of requests and tokens anew, never of money; how many there were.

        Calls under way still count in the window that they began in.
        """


class Spill(Protocol):
    """Where orders wait that the books could not take in time; what is kept survives the process.

    A hold is that of a call which is made all the same. If the settlement of its call is kept too, that one
    comes after it.
    """

    async def keep(self, order: Kept) -> None:
        """Keep one for good, or `BooksAway`."""

    async def kept(self, under_way: Container[UUID] = ()) -> Sequence[Kept]:
        """What waits, some at a time, but for holds of calls that are still under way here."""

    async def forget(self, order: Kept) -> None:
        """The books have it."""


class Ledger(Protocol):
    """Where entries end up, for answers that wait for it."""

    async def commit(self, entry: Entry, *, within: float) -> None:
        """Wait until it has an entry; `BooksAway` if it has not in time."""


class Vault(Protocol):
    """Encrypts what is kept of calls."""

    def seal(self, plain: bytes) -> bytes:
        """Encrypt."""

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what was sealed here, or `SecretUnreadable`."""


class Conversations(Protocol):
    """What answers are kept by, encrypted: a tenant's own, some of the latest for some time."""

    async def keep(self, tenant: UUID, name: str, sealed: bytes) -> None:
        """Keep one; `ConversationsAway` if it cannot be."""

    async def find(self, tenant: UUID, name: str) -> bytes | None:
        """One of this tenant's."""

    async def forget(self, tenant: UUID, name: str) -> bool:
        """Keep one no longer; whether it was there."""


class Directory(Protocol):
    """Keys to principals."""

    async def identify(self, origin: Origin) -> Principal:
        """Who calls, or `Unauthenticated` or `Forbidden`."""

    async def catch_up(self, revision: int) -> None:
        """Know the configuration as it is at this revision or a later one."""

    async def end_user(self, principal: Principal, name: str) -> EndUser:
        """The person behind the app, as the app names them; met for the first time, they get a surrogate."""


class Catalog(Protocol):
    """Models, deployments and prices as they are now."""

    def snapshot(self) -> Snapshot:
        """The current snapshot; it is immutable."""


class Signs(Protocol):
    """What processes, probes and operators tell of deployments that are ill, or well again.

    Whoever cannot be asked is `SignsAway`.
    """

    async def tell(self, sign: Sign) -> int:
        """Let everybody know; the version that it has from now on."""

    async def heard(self, within: float) -> Sequence[Sign]:
        """The latest of each deployment that is ill, or of which something was told in so many seconds."""

    async def claim(self, key: Key, rest: float) -> bool:
        """Take the one probe after a rest, for at most so many seconds; whether nobody else has it."""


class Cache(Protocol):
    """Answers kept per tenant, sealed. While it is away nothing is found or kept: no call fails for it."""

    is_on: bool
    """Whether anything is kept at all."""

    async def find(self, tenant: UUID, key: str, *, lead_seconds: float = 0.0) -> Found:
        """What is kept under a key.

        With `lead_seconds` one process of many that miss is to find the answer; the others look again until
        it is kept or released, or so long is over.
        """

    async def keep(self, tenant: UUID, key: str, stored: Stored) -> None:
        """Keep an answer; what is too much gives way. Whoever waits for it finds it."""

    async def release(self, tenant: UUID, key: str) -> None:
        """No answer came of it: somebody else may look for one."""

    async def clear(self, tenant: UUID, chosen: Chosen | None = None) -> int:
        """Keep those of a tenant no longer that are chosen by their labels, or all; how many there were.

        `CacheAway` if that cannot be done now.
        """

    async def status(self, tenant: UUID) -> CacheStatus:
        """A tenant's part of it."""


class Meanings(Protocol):
    """Vectors of prompts per tenant and space, with the keys of their answers; it never fails either."""

    async def nearest(self, tenant: UUID, space: str, vector: Sequence[float]) -> Near | None:
        """The key whose prompt means the most alike."""

    async def keep(
        self, tenant: UUID, space: str, key: str, vector: Sequence[float], *, seconds: float
    ) -> None:
        """Remember what a prompt means."""


class Answer(Protocol):
    """A provider's answer, its head read and its body not."""

    status: int
    headers: dict[str, str]

    async def read(self) -> bytes:
        """The whole body."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""


class Transport(Protocol):
    """The way to a provider; foreign exceptions come out of it as ours."""

    def open(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Send the request and read the head of its answer."""


class Turnstile(Protocol):
    """Shares what a provider lets us do among tenants, fairly over all processes."""

    async def enter(
        self,
        quota: Quota,
        turn: Turn,
        *,
        wait: float,
        most_waiting: int,
        seen: Callable[[int], None] | None = None,
    ) -> float:
        """Take a place, at once or after waiting for so many seconds at most; how long it took.

        `seen` hears the place in the line of the tenant's own calls when the wait begins, 1 being the next.
        `QuotaUsedUp` if there is no place, or none in time; `QueueFull` if the tenant has `most_waiting`
        calls in line already. Who is cancelled leaves the line, and the place with it.
        """

    async def leave(self, quota: Quota, turn: Turn, *, tokens: int) -> None:
        """Give the place back, to whoever is next; `tokens` is what the attempt really took."""

    def busy(self, quota: Quota) -> float:
        """How full it is, from 0 to 1, as far as this process knows without asking."""

    async def tend(self) -> None:
        """Keep places and lines while calls are under way; runs beside them until it is cancelled."""


class Witnesses(Protocol):
    """Whoever may know why calls went as they did: this process, and those beside it."""

    async def find(self, request_id: str, tenants: Collection[UUID] | None) -> "Testimony":
        """What is known of the calls of a request id: of these tenants, or of all. It never fails."""

    async def listen(self) -> None:
        """Answer others who ask; runs beside the calls until it is cancelled."""

    async def close(self) -> None:
        """Let go of everything."""


class Relay(Protocol):
    """The way back to a caller who streams; awaiting it is the back-pressure."""

    async def start(self, served: Served) -> None:
        """The answer is committed: from here on there is no failover."""

    async def send(self, event: Event) -> None:
        """Pass one event on."""
