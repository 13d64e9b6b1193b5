"""Ledger entries as rows, for every store that writes them past the ORM."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from gateway.entry import Entry

TABLE = "usage_ledgerentry"

COLUMNS = (
    "id",
    "at",
    "request_id",
    "tenant_id",
    "tenant",
    "project_id",
    "project",
    "cost_centre",
    "key_id",
    "key",
    "end_user_id",
    "dialect",
    "kind",
    "status",
    "model_asked",
    "model",
    "provider_id",
    "provider",
    "deployment_id",
    "deployment",
    "meters",
    "cost_nano",
    "charge_nano",
    "lines",
    "price_version",
    "estimated",
    "attempts",
    "latency_ms",
    "ttft_ms",
    "overhead_us",
    "sensitivity",
    "tags",
    "corrects",
)

_encode = msgspec.json.Encoder().encode


def sqlite_row(entry: Entry) -> tuple[Any, ...]:
    """An entry's values in the order of `COLUMNS`, in the forms in which Django keeps them in SQLite."""
    return (
        entry.id.hex,
        _sqlite_moment(entry.at_ms),
        entry.request_id,
        entry.tenant_id.hex,
        entry.tenant,
        _hex(entry.project_id),
        entry.project,
        entry.cost_centre,
        _hex(entry.key_id),
        entry.key,
        _hex(entry.end_user_id),
        entry.dialect,
        entry.kind,
        entry.status,
        entry.model_asked,
        entry.model,
        _hex(entry.provider_id),
        entry.provider,
        _hex(entry.deployment_id),
        entry.deployment,
        _encode(entry.meters).decode(),
        entry.cost_nano,
        entry.charge_nano,
        _encode(entry.lines).decode(),
        entry.price_version,
        entry.estimated,
        _encode(entry.attempts).decode(),
        entry.latency_ms,
        entry.ttft_ms,
        entry.overhead_us,
        entry.sensitivity,
        _encode(entry.tags).decode(),
        _hex(entry.corrects),
    )


def _sqlite_moment(at_ms: int) -> str:
    """Naive UTC text, as Django's SQLite backend writes it; isoformat takes a third of strftime's time."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(" ", "microseconds").removesuffix("+00:00")


def _hex(identifier: UUID | None) -> str | None:
    return None if identifier is None else identifier.hex
