"""Lines that PostgreSQL refuses stand aside, and all others go in."""

import logging
from typing import Any

import pytest

from tests.support.engine import make_entry
from tests.usage.drain.conftest import Making, Works
from usage.books.rows import COLUMNS, copy_line
from usage.books.shards import LINE

pytestmark = pytest.mark.servers

SECRET = b"charlie"


def spoiled(**fields: Any) -> bytes:
    """A line with columns that are not what they should be."""
    line = copy_line(make_entry(project=SECRET.decode())).removesuffix(b"\n").split(b"\t")
    for name, value in fields.items():
        line[COLUMNS.index(name)] = value
    return b"\t".join(line) + b"\n"


POISON = {
    "not-an-id": (spoiled(id=b"charlie"), b"22P02"),
    "not-a-number": (spoiled(cost_nano=b"much"), b"22P02"),
    "too-large": (spoiled(cost_nano=b"9" * 30), b"22003"),
    "too-long": (spoiled(tenant=b"x" * 65), b"22001"),
    "not-json": (spoiled(tags=b"{"), b"22P02"),
    "null-in-json": (spoiled(tags=b'{"a":"\\\\u0000"}'), b"22P05"),
    "nested-too-deep": (spoiled(tags=b"[" * 100_000), b"54001"),
    "null": (spoiled(tenant_id=b"\\N"), b"23502"),
    "not-utf-8": (spoiled(project=b"\xff\xfe"), b"22021"),
    "null-character": (spoiled(project=b"a\x00b"), b"22021"),
    "a-column-less": (spoiled().rpartition(b"\t")[0] + b"\n", b"22P04"),
    "a-column-more": (spoiled().rstrip(b"\n") + b"\tmore\n", b"22P04"),
    "nothing": (b"\n", b"22P02"),
    "end-marker": (b"\\.\n", b"22P04"),
    "two-lines": (spoiled(id=b"1" * 32) + spoiled(id=b"2" * 32), b"22P04"),
}


@pytest.mark.parametrize(("line", "sqlstate"), POISON.values(), ids=POISON.keys())
def test_a_poisoned_line_is_set_aside_and_the_others_go_in(
    works: Works, entries: Making, caplog: pytest.LogCaptureFixture, line: bytes, sqlstate: bytes
) -> None:
    made = [make_entry(tenant_id=one.tenant_id) for one in entries(160)]
    works.write(made[:80])
    identifier = works.write_line(line)
    works.write(made[80:])
    drainer = works.drain()
    assert works.rows() == sorted(entry.id for entry in made)
    assert (drainer.rows, drainer.set_aside) == (len(made), 1)
    assert works.poisoned() == [{b"id": identifier, b"reason": sqlstate, LINE: line}]
    assert works.left() == 0
    (alarm,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert identifier.decode() in alarm.getMessage()
    assert sqlstate.decode() in alarm.getMessage()
    assert SECRET.decode() not in caplog.text


def test_a_line_of_another_version_is_set_aside_whole(works: Works, entries: Making) -> None:
    works.write(entries(3))
    identifier = works.write_line(b"something new\n", field=b"2", shard=5)
    assert works.drain().set_aside == 1
    assert works.poisoned(5) == [{b"id": identifier, b"reason": b"0A000", b"2": b"something new\n"}]
    assert (len(works.rows()), works.left()) == (3, 0)


def test_many_poisoned_lines_among_good_ones(works: Works, entries: Making) -> None:
    made = entries(64)
    for number, entry in enumerate(made):
        works.write([entry])
        if number % 4 == 0:
            works.write_line(b"poison %d\n" % number, shard=number % 16)
    assert works.drain().set_aside == 16
    assert works.rows() == sorted(entry.id for entry in made)
    assert sum(len(works.poisoned(shard)) for shard in range(16)) == 16


def test_a_poisoned_line_is_set_aside_once_by_two_who_have_it(works: Works) -> None:
    works.write_line(b"poison\n")
    one, other = works.journal(), works.journal()
    one.join()
    (entry,) = one.read()
    other.join()
    other.take_over_all()
    (same,) = other.read()
    one.set_aside(entry, "22P04")
    other.set_aside(same, "22P04")
    assert len(works.poisoned()) == 1
