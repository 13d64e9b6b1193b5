"""What a request's headers say of how its call is wanted."""

import pytest

from api.hosts import Hosts
from api.origin import is_request_id, read_origin
from gateway.errors import InvalidRequest


def priority_of(value: bytes | None = None) -> int | None:
    named = {} if value is None else {b"x-gateway-priority": value}
    headers = {b"authorization": b"Bearer key"} | named
    return read_origin(headers, "r-1", "127.0.0.1", Hosts(["*"])).priority


@pytest.mark.parametrize(
    ("value", "priority"),
    [(b"0", 0), (b"7", 7), (b"+7", 7), (b"-1000", -1000), (b" 1000 ", 1000), (b"", None), (b"0007", 7)],
)
def test_a_priority_is_a_whole_number_within_its_bounds(value: bytes, priority: int | None) -> None:
    assert priority_of(value) == priority
    assert priority_of() is None


@pytest.mark.parametrize(
    "value", [b"1001", b"-1001", b"high", b"1.5", b"1e3", b"--1", "\u0663".encode(), b"9" * 5_000]
)
def test_anything_else_is_no_priority(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        priority_of(value)
    assert refused.value.param == "X-Gateway-Priority"


def test_what_could_be_a_request_id() -> None:
    assert is_request_id("req/1:a+b=c._-")
    assert not any(map(is_request_id, ("", "with space", "nul\x00", "x" * 129, "line\n")))
