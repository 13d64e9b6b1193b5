"""Books in memory that keep sums instead of entries, so that a process may run for ever."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any
from uuid import UUID

from gateway.accounts import Account, Order, Verdict
from gateway.entry import Entry
from gateway.memory import MemoryBooks
from gateway.sdk.answers import dollars
from gateway.standing import Standing

TENANTS_AT_MOST = 10_000
"""Beyond it, who has not called for longest is only in the sums of all."""


class Sum:
    """What some calls come to."""

    __slots__ = (
        "cache_read_tokens",
        "cache_write_tokens",
        "cached",
        "completion_tokens",
        "cost_nano",
        "failed",
        "prompt_tokens",
        "requests",
        "unpriced",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.failed = 0
        self.cached = 0
        self.unpriced = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cache_read_tokens = 0
        self.cache_write_tokens = 0
        self.cost_nano = 0

    def add(self, entry: Entry) -> None:
        """Count an entry; one that mends another is no further request."""
        meters, sign = entry.meters, entry.corrects is None
        self.requests += sign
        self.failed += sign and entry.status not in ("settled", "cached")
        self.cached += sign and entry.status == "cached"
        self.unpriced += sign and entry.status == "settled" and not entry.price_version
        self.prompt_tokens += meters.prompt_tokens
        self.completion_tokens += meters.tokens - meters.prompt_tokens
        self.cache_read_tokens += meters.cache_read
        self.cache_write_tokens += meters.cache_write_5m + meters.cache_write_1h
        self.cost_nano += entry.charge_nano

    def told(self) -> dict[str, Any]:
        """As scripts read it."""
        return {
            "total_requests": self.requests,
            "failed_requests": self.failed,
            "cached_requests": self.cached,
            "unpriced_requests": self.unpriced,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "total_cost": dollars(self.cost_nano),
        }


class Sums:
    """Sums of all calls, and of each tenant's."""

    def __init__(self, *, tenants_at_most: int = TENANTS_AT_MOST) -> None:
        self._tenants_at_most = tenants_at_most
        self._all = Sum()
        self._tenants: OrderedDict[str, Sum] = OrderedDict()
        self._lock = Lock()

    def add(self, entries: Iterable[Entry]) -> None:
        """Count entries."""
        with self._lock:
            for entry in entries:
                self._all.add(entry)
                self._tenants.setdefault(entry.tenant, Sum()).add(entry)
                self._tenants.move_to_end(entry.tenant)
            while len(self._tenants) > self._tenants_at_most:
                self._tenants.popitem(last=False)

    def told(self, tenant: str | None = None) -> dict[str, Any]:
        """The sums of a tenant, or of all."""
        with self._lock:
            return (self._all if tenant is None else self._tenants.get(tenant, Sum())).told()


class SummingBooks:
    """Books in memory whose entries go into sums as soon as they are written."""

    def __init__(self, books: MemoryBooks, sums: Sums) -> None:
        self._books = books
        self._sums = sums

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        """Carry out orders."""
        verdicts = await self._books.post(orders)
        self._sum_up()
        return verdicts

    async def sweep(self) -> int:
        """Turn expired holds into unsettled entries."""
        swept = await self._books.sweep()
        self._sum_up()
        return swept

    async def look(self, tenant_id: UUID, accounts: Sequence[Account]) -> Sequence[Standing]:
        """How accounts stand."""
        return await self._books.look(tenant_id, accounts)

    async def reset(self, tenant_id: UUID, accounts: Sequence[Account]) -> int:
        """Begin windows anew."""
        return await self._books.reset(tenant_id, accounts)

    def _sum_up(self) -> None:
        """No order comes twice here, for these books are never away: entries are not needed to tell."""
        if self._books.entries:
            self._sums.add(self._books.entries.values())
            self._books.entries.clear()
