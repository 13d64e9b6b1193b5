"""Ledger entries as rows, for every store that writes them past the ORM."""

import re
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

_COPIED = "\t".join(["%s"] * len(COLUMNS)) + "\n"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": ""})
_NEEDS_ESCAPE = re.compile(r"[\\\t\n\r\x00]")


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


def copy_line(entry: Entry) -> bytes:
    """An entry as one line of PostgreSQL's text format for COPY, in the order of `COLUMNS`."""
    return _COPIED % (
        entry.id.hex,
        datetime.fromtimestamp(entry.at_ms / 1000, UTC).isoformat(),
        _text(entry.request_id),
        entry.tenant_id.hex,
        _text(entry.tenant),
        _copied(entry.project_id),
        _text(entry.project),
        _text(entry.cost_centre),
        _copied(entry.key_id),
        _text(entry.key),
        _copied(entry.end_user_id),
        entry.dialect,
        entry.kind,
        entry.status,
        _text(entry.model_asked),
        _text(entry.model),
        _copied(entry.provider_id),
        _text(entry.provider),
        _copied(entry.deployment_id),
        _text(entry.deployment),
        _text(_encode(entry.meters).decode()),
        entry.cost_nano,
        entry.charge_nano,
        _text(_encode(entry.lines).decode()),
        _text(entry.price_version),
        "t" if entry.estimated else "f",
        _text(_encode(entry.attempts).decode()),
        entry.latency_ms,
        "\\N" if entry.ttft_ms is None else entry.ttft_ms,
        entry.overhead_us,
        _text(entry.sensitivity),
        _text(_encode(entry.tags).decode()),
        _copied(entry.corrects),
    ).encode("utf-8", "replace")


def _text(value: str) -> str:
    """Escaped as COPY wants it; a null character, which no text column takes, is dropped."""
    if _NEEDS_ESCAPE.search(value) is None:
        return value
    return value.translate(_ESCAPES)


def _copied(identifier: UUID | None) -> str:
    return "\\N" if identifier is None else identifier.hex


def _sqlite_moment(at_ms: int) -> str:
    """Naive UTC text, as Django's SQLite backend writes it; isoformat takes a third of strftime's time."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(" ", "microseconds").removesuffix("+00:00")


def _hex(identifier: UUID | None) -> str | None:
    return None if identifier is None else identifier.hex
