"""One connection takes one answer at a time, however its bytes come, and nothing that was not asked for."""

import asyncio

import pytest

from gateway.connection import Connection
from gateway.errors import ProviderCut, ProviderMalformed

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + PLAIN
UNTIL_END = b"HTTP/1.1 200 OK\r\n\r\nhello"


class Wire(asyncio.Transport):
    """Takes what is written, and notes when it is hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.hung_up = False
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.hung_up = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def _asked() -> tuple[Connection, Wire]:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    connection.send(b"POST / HTTP/1.1\r\n\r\n")
    return connection, wire


async def _answer(connection: Connection) -> tuple[int, bytes]:
    await connection.head()
    body = b""
    while piece := await connection.more():
        body += piece
    return connection.status, body


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED, INTERIM], ids=["plain", "chunked", "interim"])
async def test_a_cut_anywhere_changes_nothing(answer: bytes) -> None:
    for at in range(len(answer) + 1):
        connection, _ = _asked()
        connection.data_received(answer[:at])
        connection.data_received(answer[at:])
        assert await _answer(connection) == (200, b"hello")
        assert connection.reusable
        assert "x-early" not in connection.headers


async def test_a_connection_is_good_for_the_next_answer() -> None:
    connection, wire = _asked()
    connection.data_received(PLAIN)
    await _answer(connection)
    connection.send(b"again")
    connection.data_received(CHUNKED)
    assert await _answer(connection) == (200, b"hello")
    assert wire.written.endswith(b"again")


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    connection, _ = _asked()
    connection.data_received(UNTIL_END)
    connection.connection_lost(None)
    assert await _answer(connection) == (200, b"hello")
    assert not connection.reusable


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["plain", "chunked"])
async def test_an_answer_that_breaks_off_is_cut(answer: bytes) -> None:
    for at in (0, 10, len(answer) - 1):
        connection, _ = _asked()
        connection.data_received(answer[:at])
        connection.connection_lost(None)
        with pytest.raises(ProviderCut):
            await _answer(connection)


@pytest.mark.parametrize(
    "more", [PLAIN, b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 1\r\n\r\nx", b"junk"]
)
@pytest.mark.parametrize("later", [True, False], ids=["later", "at once"])
async def test_what_nobody_asked_for_is_nobodys_answer(more: bytes, later: bool) -> None:
    connection, wire = _asked()
    connection.data_received(PLAIN if later else PLAIN + more)
    if later:
        assert await _answer(connection) == (200, b"hello")
        connection.data_received(more)
    else:
        assert await _answer(connection) == (200, b"hello")
    assert wire.hung_up
    assert not connection.is_open


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["no http", "two framings", "two lengths", "bad chunk", "endless head"],
)
async def test_what_is_no_answer_is_malformed(answer: bytes) -> None:
    connection, wire = _asked()
    connection.data_received(answer)
    with pytest.raises(ProviderMalformed):
        await _answer(connection)
    assert wire.hung_up


async def test_a_slow_reader_slows_the_provider() -> None:
    connection, wire = _asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 600000\r\n\r\n" + b"x" * 300_000)
    assert wire.paused
    await connection.more()
    assert not wire.paused
