"""What the drain writes, Django reads."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.call import Attempt, Usage
from gateway.entry import Entry, Line
from gateway.ids import uuid7
from tests.support.engine import make_entry
from tests.usage.drain.conftest import Works
from usage.models import LedgerEntry

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("postgresql")]

TEXTS = {
    "tab": "a\tb",
    "lines": "a\nb\r\nc",
    "backslashes": "a\\b\\\\n\\t\\",
    "quotes": "a'b\"c",
    "emoji": "✓ 🦊 e\u0301",
    "null-marker": "\\N",
    "end-marker": "\\.",
    "empty": "",
    "braces": '{"a": "\\u0041"}',
}


def drained(works: Works, entry: Entry) -> LedgerEntry:
    works.write([entry])
    works.drain()
    return LedgerEntry.objects.get(pk=entry.id)


def plain(entry: Entry) -> dict[str, Any]:
    """The fields that a row has under the same name and in the same form."""
    other = ("at_ms", "meters", "lines", "attempts")
    return {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in other}


def test_django_reads_every_field_of_an_entry(works: Works) -> None:
    ids = (
        "project_id",
        "key_id",
        "end_user_id",
        "provider_id",
        "deployment_id",
        "corrects",
    )
    entry = replace(
        make_entry(-7, at_ms=1_767_225_600_123, **{name: uuid7() for name in ids}),
        project="search",
        cost_centre="CC-42",
        key="app",
        model_asked="small",
        model="gpt-4o-mini",
        provider="openai",
        deployment="openai/gpt-4o-mini",
        meters=Usage(input=3, output=4),
        lines=(Line(meter="input", units=3, pico=5, cost_nano=1 << 60, charge_nano=-7, price=9),),
        price_version="v1",
        estimated=True,
        attempts=(Attempt(deployment="openai/gpt-4o-mini", outcome="ok", milliseconds=8, status=200),),
        latency_ms=12,
        ttft_ms=6,
        overhead_us=345,
        sensitivity="public",
        tags={"feature": "suche ✓"},
    )
    row = drained(works, entry)
    assert {name: getattr(row, name) for name in plain(entry)} == plain(entry)
    assert row.at == datetime(2026, 1, 1, microsecond=123_000, tzinfo=UTC)
    assert row.meters == {"input": 3, "output": 4}
    assert row.lines == [
        {"meter": "input", "units": 3, "pico": 5, "cost_nano": 1 << 60, "charge_nano": -7, "price": 9}
    ]
    assert row.attempts[0]["status"] == 200
    assert LedgerEntry.objects.filter(tags__feature="suche ✓").count() == 1


def test_what_is_not_there_is_null(works: Works) -> None:
    row = drained(works, make_entry())
    empty = ("project_id", "key_id", "end_user_id", "provider_id", "deployment_id", "ttft_ms", "corrects")
    assert {name: getattr(row, name) for name in empty} == dict.fromkeys(empty)
    assert (row.meters, row.lines, row.attempts, row.tags) == ({}, [], [], {})


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_texts_stay_as_they_are(works: Works, text: str) -> None:
    names = ("tenant", "project", "cost_centre", "key", "model_asked", "model", "provider", "deployment")
    entry = replace(make_entry(), **dict.fromkeys(names, text), request_id=text, tags={"feature": text})
    row = drained(works, entry)
    assert {name: getattr(row, name) for name in plain(entry)} == plain(entry)


def test_a_null_character_is_dropped(works: Works) -> None:
    assert drained(works, make_entry(project="a\x00b")).project == "ab"
