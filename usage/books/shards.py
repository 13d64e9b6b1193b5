"""The shards that tenants live in on Redis, and the names of their keys (docs/decisions/0011)."""

from uuid import UUID

SHARDS = 16
"""Fixed for good: another number would move tenants away from their counters."""

LINE = b"1"
"""The stream field of a ledger line whose columns are those of `usage.books.rows`."""


def shard_of(tenant_id: UUID) -> int:
    """Where a tenant's accounts, holds and journal are."""
    return tenant_id.int % SHARDS


def shard_key(shard: int, name: str) -> str:
    """A key of a shard; the tag in braces keeps a shard's keys together on a cluster."""
    return f"gw:{{s{shard}}}:{name}"


def journal_key(shard: int) -> str:
    """The stream of a shard's ledger lines."""
    return shard_key(shard, "journal")
