"""HTTP as bytes on a socket, for what no client library would send, and for leaving in the middle."""

import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from select import select
from types import TracebackType
from typing import Any

LONGEST_SECONDS = 15.0
"""No answer may take longer in any of these tests: beyond it, the socket hangs."""
_PROMPT_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header that stands once."""
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(values) < 2, f"{name} stands {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Line:
    """One connection. Used as `with`."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LONGEST_SECONDS)

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def send(self, data: bytes) -> None:
        """Send bytes as they are; a server that has closed already has answered before."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def answer(self, method: str = "POST") -> Answer:
        """The next answer."""
        with HTTPResponse(self._socket, method=method) as response:
            response.begin()
            return Answer(status=response.status, headers=response.getheaders(), body=response.read())

    def until(self, end: bytes) -> bytes:
        """What comes, up to and including some bytes."""
        seen = bytearray()
        while not seen.endswith(end):
            piece = self._socket.recv(1)
            assert piece, f"closed after {bytes(seen)!r}"
            seen += piece
        return bytes(seen)

    def is_closed(self) -> bool:
        """Whether the server closes now, and not only after it was idle for long."""
        self._socket.settimeout(_PROMPT_SECONDS)
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def is_quiet(self) -> bool:
        """Whether nothing has come yet that was not read."""
        return not select([self._socket], [], [], 0)[0]

    def leave(self) -> None:
        """Close."""
        self._socket.close()


def request_bytes(
    method: str, path: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """A request as it stands on the wire; its length is told unless its headers tell it."""
    named = list(headers.items() if isinstance(headers, Mapping) else headers)
    known = {name.lower() for name, _ in named}
    if "host" not in known:
        named.insert(0, ("Host", "localhost"))
    if not {"content-length", "transfer-encoding"} & known and (body or method == "POST"):
        named.append(("Content-Length", str(len(body))))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def exchange(port: int, request: bytes, method: str = "POST") -> Answer:
    """One request and its answer on a connection of their own."""
    with Line(port) as line:
        line.send(request)
        return line.answer(method)
