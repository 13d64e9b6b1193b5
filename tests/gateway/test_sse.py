"""Events are cut out of a byte stream without changing a byte of it."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.sse import Frames, encode_event, event_data


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\r\n\r\n", b"x"),
        (b"data: x\r\r", b"x"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"event: e\nid: 1\ndata: x\n\n", b"x"),
        (b"\ndata: x\n\n", b"x"),
        (b": comment\n\n", None),
        (b"event: ping\n\n", None),
        (b"\n\n", None),
        (b"data: a\r\ndata: b\r\n\r\n", b"a\nb"),
    ],
)
def test_the_data_of_an_event(event: bytes, data: bytes | None) -> None:
    assert event_data(event) == data


def test_an_event_made_is_an_event_read() -> None:
    assert event_data(encode_event(b'{"a":1}')) == b'{"a":1}'


pieces = st.sampled_from(
    [b"\n", b"\r", b"\r\n", b"data: x", b": c", b"\n\n", b"\r\n\r\n", "é".encode(), b"id: 1"]
)
streams = st.lists(pieces, max_size=30).map(b"".join)


@given(streams, st.lists(st.integers(0, 200), max_size=12))
def test_cuts_do_not_matter_and_nothing_is_lost(stream: bytes, cuts: list[int]) -> None:
    whole, cut = Frames(), Frames()
    events = whole.feed(stream)
    edges = [0, *sorted(min(at, len(stream)) for at in cuts), len(stream)]
    found = [one for start, end in pairwise(edges) for one in cut.feed(stream[start:end])]
    assert found == events
    rest = whole.feed(b"\n\n")
    assert b"".join([*events, *rest]).startswith(stream)
    assert rest == cut.feed(b"\n\n")


def test_two_events_in_one_packet_are_two() -> None:
    assert Frames().feed(b"data: 1\n\ndata: 2\n\ndata") == [b"data: 1\n\n", b"data: 2\n\n"]
