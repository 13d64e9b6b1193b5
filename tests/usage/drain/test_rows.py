"""What the drain writes, Django reads."""

import pytest
from msgspec.structs import replace

from gateway.entry import Entry
from tests.support.engine import make_entry
from tests.support.ledger_rows import assert_row_tells, full_entry, plain
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


def test_django_reads_every_field_of_an_entry(works: Works) -> None:
    entry = full_entry()
    assert_row_tells(drained(works, entry), entry)
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


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\rb", "a\\b", "\\N"])
def test_one_character_that_says_more_is_enough(works: Works, text: str) -> None:
    """Elsewhere in the line there is none: JSON would bring a backslash along."""
    assert drained(works, make_entry(project=text)).project == text


def test_a_null_character_is_dropped(works: Works) -> None:
    assert drained(works, make_entry(project="a\x00b")).project == "ab"
