"""The server's protocol for WebSockets: uvicorn's own, made safe against what a hostile client can do to it.

- a server that ends tells the application, which answers what is under way before it closes
- who sends pings and reads nothing fills no memory with pongs, nor who sends a frame in endless pieces
- who is gone, or is told to go and reads nothing, is hung up on, instead of being waited for
- what is said on the socket, the key among it, does not reach the log, however much is logged
"""

import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

from api.asgi import ENDING

LINGER_SECONDS = 1.0
"""What is still on its way is heard so long: who is hung up on at once loses what was said last."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self.logger = logging.getLogger("uvicorn.access")  # who calls is not logged here, as over HTTP
        self.conn.logger = self.logger
        self.conn.debug = False
        self._pong = b""

    def shutdown(self) -> None:
        """Leave it to the application when it is done."""
        if self.handshake_complete and not self.close_sent:
            told: Any = {"type": ENDING}
            self.queue.put_nowait(told)
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """What comes after the end is of no interest."""
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_connect(self, event: Any) -> None:
        """A query says nothing here, and must not be logged in case there is a key in it."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["query_string"] = b""

    def handle_cont(self, event: Frame) -> None:
        """The pieces of a frame grow into one, however many there are."""
        whole: Any = self.frames[0]
        if not isinstance(whole, bytearray):
            whole = bytearray(whole)
        whole += event.data
        self.frames = [whole]
        if event.fin:
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        """A text that is none ends the socket, as the standard has it."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames[0]):
            self.frames = []
            self.conn.fail(1007)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """A handshake that is refused by HTTP is complete as well."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def handle_ping(self) -> None:
        """Answer once the client reads; the last pong answers all pings before it."""
        self._pong = b"".join(self.conn.data_to_send())
        self._answer_ping()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._answer_ping()

    def handle_parser_exception(self) -> None:
        """Say what was wrong, and stay a moment, so that it is heard."""
        close = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code if close else 1006})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def keepalive_timeout(self) -> None:
        """Who does not answer may never read what is left, so it is not waited for."""
        super().keepalive_timeout()
        self.transport.abort()

    async def run_asgi(self) -> None:
        """Whoever does not take their leave in time is hung up on."""
        await super().run_asgi()
        self.loop.call_later(self.close_timeout, self.transport.abort)

    def _answer_ping(self) -> None:
        if self._pong and self.writable.is_set() and not self.transport.is_closing():
            self.transport.write(self._pong)
            self._pong = b""


def _is_text(data: bytes) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
