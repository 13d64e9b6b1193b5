"""What the engine asks of the world. Each port has a memory twin in `gateway/memory.py`."""

from collections.abc import AsyncIterator, Container, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from gateway.accounts import Account, Kept, Order, Verdict
from gateway.call import Ask, Event, Origin, Reply, Served
from gateway.catalog import Snapshot
from gateway.entry import Entry
from gateway.exchange import Request
from gateway.principal import EndUser, Principal
from gateway.standing import Standing


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


class Cache(Protocol):
    """Answers kept per tenant."""

    def serves(self, ask: Ask) -> bool:
        """Whether an ask of this kind is kept at all."""

    async def find(self, tenant: UUID, ask: Ask) -> Reply | None:
        """The kept answer."""


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


class Relay(Protocol):
    """The way back to a caller who streams; awaiting it is the back-pressure."""

    async def start(self, served: Served) -> None:
        """The answer is committed: from here on there is no failover."""

    async def send(self, event: Event) -> None:
        """Pass one event on."""
