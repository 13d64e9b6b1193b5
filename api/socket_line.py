"""The sending side of a socket: frames in their turn, and the codes it is closed with."""

import asyncio
from contextlib import suppress

from msgspec import Struct

from api.asgi import Send
from gateway.errors import Forbidden, GatewayError, Unauthenticated

CLOSE_WITHIN = 1.0
"""Seconds that somebody who reads nothing is given before the socket is left."""
_LONGEST_REASON = 120


class Ending(Struct, frozen=True):
    """Why a socket ends; without a code because the caller left."""

    code: int | None = None
    reason: str = ""


LEFT = Ending()
FAULTY = Ending(4400, "Too many frames could not be understood.")
IDLE = Ending(4408, "No request was open for a while.")
CROWDED = Ending(4429, "This key has too many sockets open.")
INSISTING = Ending(4429, "Too many requests were refused.")
RESTARTING = Ending(1012, "The server is restarting.")
FAILED = Ending(1011, "The gateway failed.")
_NOT_NOW = 1013


def ending_of(error: GatewayError) -> Ending:
    """How a socket ends whose key is not, or no longer, good for it."""
    if isinstance(error, Unauthenticated):
        code = 4401
    elif isinstance(error, Forbidden):
        code = 4403
    else:
        code = _NOT_NOW if error.status == 503 else 1011
    return Ending(code, error.message.encode()[:_LONGEST_REASON].decode(errors="ignore"))


class SocketLine:
    """Says one frame at a time, each once the caller has read enough of those before it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()

    async def say(self, frame: bytes) -> None:
        """Send a frame; whoever speaks to somebody who is gone is cancelled, as one whose caller left."""
        async with self._turn:
            try:
                await self._send({"type": "websocket.send", "text": frame.decode()})
            except (OSError, RuntimeError):  # the server's words for a socket that is gone, or closing
                raise asyncio.CancelledError from None

    async def close(self, ending: Ending) -> None:
        """Say why, unless nobody is there or nobody reads."""
        if ending.code is None:
            return
        with suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._send({"type": "websocket.close", "code": ending.code, "reason": ending.reason})
