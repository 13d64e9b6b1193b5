"""Ledger entries as rows, for every store that writes them past the ORM."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

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

_NO_NUMBER = -1
_NULL_WHEN = {
    **dict.fromkeys(
        ("project_id", "key_id", "end_user_id", "provider_id", "deployment_id", "corrects"), "''"
    ),
    "ttft_ms": str(_NO_NUMBER),
}
SQLITE_VALUES = tuple(f"nullif(?, {_NULL_WHEN[name]})" if name in _NULL_WHEN else "?" for name in COLUMNS)
"""Absent values travel as empty ones: SQLite's module takes a long way around for each None."""

_encode = msgspec.json.Encoder().encode

_NULL = "\\N"
_hex = "%032x".__mod__
"""Of the number of a UUID, whose own property takes longer."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": ""})


def sqlite_row(entry: Entry) -> tuple[Any, ...]:
    """An entry's values for `SQLITE_VALUES`, in the forms in which Django keeps them in SQLite."""
    return (
        _hex(entry.id.int),
        _sqlite_moment(entry.at_ms),
        entry.request_id,
        _hex(entry.tenant_id.int),
        entry.tenant,
        "" if entry.project_id is None else _hex(entry.project_id.int),
        entry.project,
        entry.cost_centre,
        "" if entry.key_id is None else _hex(entry.key_id.int),
        entry.key,
        "" if entry.end_user_id is None else _hex(entry.end_user_id.int),
        entry.dialect,
        entry.kind,
        entry.status,
        entry.model_asked,
        entry.model,
        "" if entry.provider_id is None else _hex(entry.provider_id.int),
        entry.provider,
        "" if entry.deployment_id is None else _hex(entry.deployment_id.int),
        entry.deployment,
        _encode(entry.meters).decode(),
        entry.cost_nano,
        entry.charge_nano,
        _encode(entry.lines).decode(),
        entry.price_version,
        int(entry.estimated),
        _encode(entry.attempts).decode(),
        entry.latency_ms,
        _NO_NUMBER if entry.ttft_ms is None else entry.ttft_ms,
        entry.overhead_us,
        entry.sensitivity,
        _encode(entry.tags).decode(),
        "" if entry.corrects is None else _hex(entry.corrects.int),
    )


def copy_line(entry: Entry) -> bytes:
    """An entry as one line of PostgreSQL's text format for COPY, in the order of `COLUMNS`."""
    fields = _copied(entry)
    line = "\t".join(fields)
    # Searches for one character each are as fast as memory is: a pattern for all takes thirty times as long.
    is_plain = not ("\n" in line or "\r" in line or "\x00" in line) and line.count("\t") < len(fields)
    if not is_plain or line.count("\\") != _nulls(entry):
        line = "\t".join([field if field is _NULL else field.translate(_ESCAPES) for field in fields])
    return (line + "\n").encode("utf-8", "replace")


def _copied(entry: Entry) -> tuple[str, ...]:
    return (
        _hex(entry.id.int),
        _copied_moment(entry.at_ms),
        entry.request_id,
        _hex(entry.tenant_id.int),
        entry.tenant,
        _NULL if entry.project_id is None else _hex(entry.project_id.int),
        entry.project,
        entry.cost_centre,
        _NULL if entry.key_id is None else _hex(entry.key_id.int),
        entry.key,
        _NULL if entry.end_user_id is None else _hex(entry.end_user_id.int),
        entry.dialect,
        entry.kind,
        entry.status,
        entry.model_asked,
        entry.model,
        _NULL if entry.provider_id is None else _hex(entry.provider_id.int),
        entry.provider,
        _NULL if entry.deployment_id is None else _hex(entry.deployment_id.int),
        entry.deployment,
        _encode(entry.meters).decode(),
        str(entry.cost_nano),
        str(entry.charge_nano),
        _encode(entry.lines).decode() if entry.lines else "[]",
        entry.price_version,
        "t" if entry.estimated else "f",
        _encode(entry.attempts).decode() if entry.attempts else "[]",
        str(entry.latency_ms),
        _NULL if entry.ttft_ms is None else str(entry.ttft_ms),
        str(entry.overhead_us),
        entry.sensitivity,
        _encode(entry.tags).decode() if entry.tags else "{}",
        _NULL if entry.corrects is None else _hex(entry.corrects.int),
    )


def _nulls(entry: Entry) -> int:
    """How many of an entry's fields are null, and so the only ones with a backslash."""
    return (
        (entry.project_id is None)
        + (entry.key_id is None)
        + (entry.end_user_id is None)
        + (entry.provider_id is None)
        + (entry.deployment_id is None)
        + (entry.ttft_ms is None)
        + (entry.corrects is None)
    )


@lru_cache(maxsize=256)
def _copied_moment(at_ms: int) -> str:
    """A call has two lines of the same moment, that of its hold and that of its settlement."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03}+00"


def _sqlite_moment(at_ms: int) -> str:
    """Naive UTC text, as Django's SQLite backend writes it."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03}000"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    """Calls of the same second share the larger part of their time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
