"""Whether the accounts on Redis say what the ledger on PostgreSQL says, to the nano-dollar."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from redis import Redis

from tests.support.counters import read_counter
from tests.support.gateway_server import GatewayServer
from tests.support.waiting import eventually
from usage.books.shards import SHARDS, journal_key, shard_key

_OWNERS = {
    "tenant": "tenant_id",
    "project": "project_id",
    "key": "(SELECT lineage FROM tenants_apikey WHERE id = key_id)",
    "end_user": "end_user_id",
}
_BUDGETED = """
SELECT coalesce(lineage, budget.{scope}_id) FROM tenants_budget budget
LEFT JOIN tenants_apikey key ON key.id = budget.key_id WHERE budget.{scope}_id IS NOT NULL
"""
_COUNTED = {"nano": "sum(charge_nano)", "requests": "count(*) FILTER (WHERE corrects IS NULL)"}
_SPILLED = ("*.hold", "*.settlement")
_SHORT = frozenset({"second", "minute", "hour", "burst"})
"""Windows that are forgotten when they are over."""


@dataclass(frozen=True)
class Counted:
    """An account in one of its windows, as Redis has it."""

    account: str
    spent: int
    held: int

    @property
    def owner(self) -> str:
        """Its scope, whose it is, and its unit."""
        return ":".join(self.account.split(":")[:3])

    @property
    def is_comparable(self) -> bool:
        """Whether the ledger knows its unit, and nothing of it is forgotten."""
        _, _, unit, *rest = self.account.split(":")
        return unit in _COUNTED and _SHORT.isdisjoint(rest)


class BooksProof:
    """Looks at both, past the gateway."""

    def __init__(self, gateway: GatewayServer) -> None:
        self._redis = gateway.environment["REDIS_URL"]
        self._database = gateway.environment["DATABASE_URL"]
        self._spilled = gateway.home / "spill"

    def unfinished(self) -> dict[str, int]:
        """What is still on its way, by what it is."""
        with closing(Redis.from_url(self._redis)) as redis:
            counts = Counter(
                holds=sum(redis.hlen(shard_key(shard, "holds")) for shard in range(SHARDS)),
                leases=sum(redis.zcard(shard_key(shard, "leases")) for shard in range(SHARDS)),
                lines=sum(redis.xlen(journal_key(shard)) for shard in range(SHARDS)),
                unready=sum(
                    redis.hget(shard_key(shard, "state"), "status") != b"ready" for shard in range(SHARDS)
                ),
                spilled=sum(1 for kind in _SPILLED for _ in self._spilled.glob(kind)),
            )
        return dict(+counts)

    def await_calm(self, within: float) -> None:
        """Wait until nothing is on its way; then nothing may be left over, or told in two ways."""
        eventually(lambda: not self.unfinished(), within=within)
        looks = {
            "unfinished": self.unfinished(),
            "poisoned": self._poisoned(),
            "still held": self._still_held(),
            "told in two ways": self.differences(),
        }
        findings = {what: found for what, found in looks.items() if found}
        assert not findings, findings

    def differences(self) -> dict[str, tuple[int, int]]:
        """What accounts have spent in all their windows and what the ledger says, where it says otherwise."""
        booked = self._booked()
        spent: Counter[tuple[str, str]] = Counter()
        for counted in self._counted():
            if counted.is_comparable:
                spent[counted.account, counted.owner] += counted.spent
        known = {owner for _, owner in spent}
        spent.update({(owner, owner): 0 for owner in self._budgeted() if owner not in known})
        return {
            account: (total, booked[owner])
            for (account, owner), total in spent.items()
            if total != booked[owner]
        }

    def _still_held(self) -> dict[str, int]:
        """Accounts on which something is set aside."""
        return {counted.account: counted.held for counted in self._counted() if counted.held}

    def _poisoned(self) -> int:
        """Lines that could not be rows."""
        with closing(Redis.from_url(self._redis)) as redis:
            return sum(redis.xlen(shard_key(shard, "poisoned")) for shard in range(SHARDS))

    def _counted(self) -> list[Counted]:
        with closing(Redis.from_url(self._redis)) as redis:
            now: list[tuple[str, Any]] = [(name, redis.get(key)) for key, name in _keys(redis, "a:")]
            turned = [(name.rpartition(":")[0], redis.get(key)) for key, name in _keys(redis, "o:")]
        counters = [(account, read_counter(told)) for account, told in (*now, *turned)]
        return [Counted(account, counter.spent, counter.held) for account, counter in counters]

    def _budgeted(self) -> list[str]:
        """Who has to have an account of money, as soon as anything is spent."""
        with psycopg.connect(self._database) as connection:
            return [
                f"{scope}:{whose.hex}:nano"
                for scope in _OWNERS
                for (whose,) in connection.execute(_BUDGETED.format(scope=scope))
            ]

    def _booked(self) -> Counter[str]:
        found: Counter[str] = Counter()
        with psycopg.connect(self._database) as connection:
            for scope, owner in _OWNERS.items():
                for unit, counts in _COUNTED.items():
                    query = f"SELECT {owner}, {counts} FROM usage_ledgerentry GROUP BY 1"  # noqa: S608
                    for whose, booked in connection.execute(query):
                        found[f"{scope}:{whose.hex if whose else None}:{unit}"] = int(booked)
        return found


def _keys(redis: Redis, kind: str) -> Iterator[tuple[bytes, str]]:
    """The keys of a kind in all shards, each with what stands behind its kind."""
    for shard in range(SHARDS):
        prefix = shard_key(shard, kind)
        for key in redis.scan_iter(f"{prefix}*", 1_000):
            yield key, key.decode().removeprefix(prefix)
