"""How ledger entries are shown: the same fields, names and order in the command and the API."""

from datetime import UTC
from typing import Any

from usage.models import LedgerEntry

_MICROSECONDS_PER_MILLISECOND = 1000


def entry_fields(entry: LedgerEntry) -> dict[str, Any]:
    """An entry as JSON values; a person appears as their surrogate id only."""
    return {
        "id": str(entry.id),
        "at": entry.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "request_id": entry.request_id,
        "tenant": entry.tenant,
        "project": entry.project,
        "key": entry.key,
        "end_user": str(entry.end_user_id) if entry.end_user_id else None,
        "dialect": entry.dialect,
        "kind": entry.kind,
        "status": entry.status,
        "model_asked": entry.model_asked,
        "model": entry.model,
        "provider": entry.provider,
        "deployment": entry.deployment,
        "meters": entry.meters,
        "cost_nano": entry.cost_nano,
        "charge_nano": entry.charge_nano,
        "lines": entry.lines,
        "price_version": entry.price_version,
        "estimated": entry.estimated,
        "attempts": entry.attempts,
        "latency_ms": entry.latency_ms,
        "ttft_ms": entry.ttft_ms,
        "overhead_ms": entry.overhead_us / _MICROSECONDS_PER_MILLISECOND,
        "sensitivity": entry.sensitivity,
        "tags": entry.tags,
        "corrects": str(entry.corrects) if entry.corrects else None,
    }
