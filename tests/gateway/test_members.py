"""JSON objects keep the bytes of their members, and say each thing once."""

import json

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from gateway.errors import InvalidRequest
from gateway.members import join_members, read_members

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def test_members_keep_their_bytes() -> None:
    members = read_members(b'{ "a" : 1.50 , "b":[ 1e2,"\\u00e9\\/" ],"c":{"x":  null} }')
    assert {name: bytes(value) for name, value in members.items()} == {
        "a": b"1.50",
        "b": b'[ 1e2,"\\u00e9\\/" ]',
        "c": b'{"x":  null}',
    }


@given(st.dictionaries(st.text(), values))
def test_what_is_read_and_joined_means_the_same(value: dict[str, object]) -> None:
    assert msgspec.json.decode(join_members(read_members(msgspec.json.encode(value)))) == value


@given(
    st.dictionaries(st.text(max_size=4), values, min_size=1),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,   ", "  :     "), (",\n", ":\t"), ("    ,", ":")]),
    st.booleans(),
    st.data(),
)
def test_a_member_that_stands_twice_is_seen_however_it_is_written(
    value: dict[str, object], separators: tuple[str, str], escapes: bool, data: st.DataObject
) -> None:
    comma, colon = separators
    written = [json.dumps(name, ensure_ascii=escapes) + colon + json.dumps(value[name]) for name in value]
    assert read_members(_object(written, comma)).keys() == value.keys()
    twice = data.draw(st.sampled_from(sorted(value)))
    written.insert(data.draw(st.integers(0, len(written))), f"{json.dumps(twice)}{colon}0")
    with pytest.raises(InvalidRequest, match="twice"):
        read_members(_object(written, comma))


def _object(members: list[str], comma: str) -> bytes:
    return f"{{{comma.join(members)}}}".encode()


@given(st.characters(exclude_categories=["Cs"]))
def test_no_name_is_written_longer_than_it_came(letter: str) -> None:
    for name in (f'"{letter}"'.encode(), json.dumps(letter).encode()):
        try:
            read = msgspec.json.decode(name)
        except msgspec.DecodeError:
            continue
        assert len(msgspec.json.encode(read)) <= len(name)


@pytest.mark.parametrize("filler", [0, 2000])
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"model":"a","model":"b"}', "twice"),
        (b'{"model":"a","m\\u006fdel":"b"}', "twice"),
        (b'{"model":"a", "\\u006D\\u006f\\u0064\\u0065\\u006C" : "b"}', "twice"),
        (b"[1]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1}x', "not valid JSON"),
        (b'{"a":01}', "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":"\xff"}', "not valid UTF-8"),
        (b'{"\xc3":1}', "not valid UTF-8"),
        (b'{"\xed\xa0\x80":1}', "not valid UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "not valid JSON"),
        (b'{"\\ud800":1}', "not valid JSON"),
        (b'{"a":%b}' % (b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
    ],
)
def test_what_is_not_one_clear_object_is_refused(body: bytes, complaint: str, filler: int) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as refused:
        read_members(b" " * filler + body)
    assert refused.value.status == 400


def test_a_name_is_written_so_that_it_reads_the_same() -> None:
    assert join_members({'a"b\n': b"1", "é": b"2"}) == '{"a\\"b\\n":1,"é":2}'.encode()
    assert join_members({}) == b"{}"
