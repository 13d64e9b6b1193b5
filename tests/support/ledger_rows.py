"""An entry with something in every field, and how Django reads the row that becomes of it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gateway.call import Attempt, Usage
from gateway.entry import Entry, Line
from gateway.ids import uuid7
from tests.support.engine import TENANT, make_entry
from usage.models import LedgerEntry

_IDS = ("project_id", "key_id", "end_user_id", "provider_id", "deployment_id", "corrects")
_OF_ANOTHER_FORM = ("at_ms", "meters", "lines", "attempts")


def full_entry(identifier: UUID | None = None) -> Entry:
    """No field of it is empty, and its numbers go both ways."""
    fields: dict[str, Any] = {
        "at_ms": 1_767_225_600_123,
        "project": "search",
        "cost_centre": "CC-42",
        "key": "app",
        "model_asked": "small",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "deployment": "openai/gpt-4o-mini",
        "meters": Usage(input=3, output=4),
        "lines": (Line(meter="input", units=3, pico=5, cost_nano=1 << 60, charge_nano=-7, price=9),),
        "price_version": "v1",
        "estimated": True,
        "attempts": (Attempt(deployment="openai/gpt-4o-mini", outcome="ok", milliseconds=8, status=200),),
        "latency_ms": 12,
        "ttft_ms": 6,
        "overhead_us": 345,
        "sensitivity": "public",
        "tags": {"feature": "suche ✓"},
    }
    return make_entry(-7, identifier, **fields | {name: uuid7() for name in _IDS})


def assert_row_tells(row: LedgerEntry, entry: Entry) -> None:
    """Whether a row says all that a full entry does."""
    assert {name: getattr(row, name) for name in plain(entry)} == plain(entry)
    assert (row.tenant_id, row.at) == (TENANT, datetime(2026, 1, 1, microsecond=123_000, tzinfo=UTC))
    assert row.meters == {"input": 3, "output": 4}
    assert row.lines == [
        {"meter": "input", "units": 3, "pico": 5, "cost_nano": 1 << 60, "charge_nano": -7, "price": 9}
    ]
    assert row.attempts[0]["status"] == 200


def plain(entry: Entry) -> dict[str, Any]:
    """The fields that a row has under the same name and in the same form."""
    return {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in _OF_ANOTHER_FORM}
