"""A way to a server that can be cut, as when it is down, or held up, as when it has frozen."""

import socket
import threading
from contextlib import suppress
from types import TracebackType

Address = tuple[str, int] | str
"""Of TCP, or the path of a socket."""

_PIECE = 65_536


class Passage:
    """Passes bytes between a port of its own and a server. Used as `with`."""

    def __init__(self, server: Address) -> None:
        self._server = server
        self._flows = threading.Event()
        self._flows.set()
        self._ends: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._accept_soon()

    def __enter__(self) -> "Passage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self._flows.set()
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def mend(self) -> None:
        """Take connections again after a cut."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._accept_soon()

    def hold_up(self) -> None:
        """Let nothing through, and say nothing about it."""
        self._flows.clear()

    def let_go(self) -> None:
        """Let through what has waited, and all that follows."""
        self._flows.set()

    def _accept_soon(self) -> None:
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = self._connected()
                self._ends |= {near, far}
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _connected(self) -> socket.socket:
        if not isinstance(self._server, str):
            return socket.create_connection(self._server)
        local = socket.socket(socket.AF_UNIX)
        local.connect(self._server)
        return local

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                self._flows.wait()
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
