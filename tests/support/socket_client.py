"""Someone on a WebSocket of the gateway, on the client library that people use."""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.raw_http import request_bytes

PATH = "/ws/v1/generate"
LONGEST_SECONDS = 15.0

Frame = dict[str, Any]


class SocketClient:
    """One socket. Used as `with`."""

    def __init__(
        self,
        port: int,
        key: str = "",
        *,
        path: str = PATH,
        subprotocols: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        ahead: int = 16,
    ) -> None:
        """Frames that nobody waits for are read `ahead`, up to so many."""
        self._connecting = connect(
            f"ws://127.0.0.1:{port}{path}",
            additional_headers=dict(headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {}),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            open_timeout=LONGEST_SECONDS,
            max_size=None,
            max_queue=ahead,
            ping_interval=None,
            proxy=None,
        )

    def __enter__(self) -> "SocketClient":
        self.connection: ClientConnection = self._connecting.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connecting.__exit__(kind, error, trace)

    def ask(self, name: str, model: str, **members: Any) -> None:
        """Begin a request; without messages it says hello."""
        said = {} if "messages" in members else {"prompt": "hello"}
        self.say({"id": name, "type": "generate", "model": model, **said, **members})

    def cancel(self, name: str) -> None:
        """End a request."""
        self.say({"id": name, "type": "cancel"})

    def say(self, frame: Mapping[str, Any] | str | bytes) -> None:
        """Send a frame, whatever it is."""
        self.connection.send(json.dumps(frame) if isinstance(frame, Mapping) else frame)

    def next(self, *, within: float = LONGEST_SECONDS) -> Frame:
        """The next frame."""
        frame: Frame = json.loads(self.connection.recv(timeout=within))
        return frame

    def until_over(self, *names: str) -> dict[str, list[Frame]]:
        """What comes until each of these requests is over, by request."""
        told: dict[str, list[Frame]] = {name: [] for name in names}
        left = set(names)
        while left:
            frame = self.next()
            told.setdefault(frame["id"], []).append(frame)
            if frame["type"] != "delta":
                left.discard(frame["id"])
        return told

    def answer(self, name: str, model: str, **members: Any) -> Frame:
        """The last frame of a request that is asked now, and alone; its text is put together in it."""
        self.ask(name, model, **members)
        frames = self.until_over(name)[name]
        return {"text": text_of(frames)} | frames[-1]

    def code(self) -> int:
        """What the socket is closed with, whatever is said before."""
        try:
            while True:
                self.connection.recv(timeout=LONGEST_SECONDS)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006


def handshake(key: str, **headers: str) -> bytes:
    """How a socket begins, for what no client library would do."""
    named = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    named |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "x-api-key": key}
    return request_bytes("GET", PATH, named | headers)


def frame_bytes(frame: Mapping[str, Any]) -> bytes:
    """A short frame as it stands on the wire."""
    data = json.dumps(frame).encode()
    assert 125 < len(data) < 65_536
    return b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


def text_of(frames: list[Frame]) -> str:
    """The text of one request's frames."""
    return "".join(frame["text"] for frame in frames if frame["type"] == "delta")


def error_of(frame: Frame, code: str) -> Frame:
    """The error that a frame must be."""
    assert frame["type"] == "error", frame
    error: Frame = frame["error"]
    assert error["code"] == code, frame
    assert error["message"]
    return error
