"""What the telling doors look at, and what they are asked."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from api.readiness import Health
from gateway.breakers import Board
from gateway.catalog import Snapshot
from gateway.errors import Unauthenticated
from gateway.ports import Books, Cache, Catalog, Clock, Vault
from gateway.principal import Principal
from gateway.responses.keeping import Keeper


class Desk(Struct, frozen=True, kw_only=True):
    """What this process knows, or can ask."""

    catalog: Catalog
    books: Books
    clock: Clock
    board: Board
    health: Callable[[], Awaitable[Health]]
    keeper: Keeper
    cache: Cache
    vault: Vault
    service: str
    version: str
    started: float

    @property
    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return round(self.clock.now() * 1000)


class Question(Struct, frozen=True, kw_only=True):
    """What was asked, and by whom."""

    snapshot: Snapshot
    caller: Principal | None = None
    """Nobody in particular, at a door that needs no key."""
    method: str = "GET"
    name: str = ""
    """What followed the door's own address."""
    wishes: Mapping[str, str] = {}
    """The query of the address."""
    asked: Any = None
    """What its body said, where the door takes one."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        if self.caller is None:
            raise Unauthenticated
        return self.caller
