"""The server's protocol for sockets, where a caller is gone without a word and their system says nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from uvicorn.server import ServerState

from api.asgi import Message, Receive, Scope, Send
from api.socket_protocol import SocketProtocol
from tests.support.socket_client import handshake

PING_SECONDS = 0.1
GONE_WITHIN = 5.0
PIECE = "x" * 65_536


class Talker:
    """An application that says things all the time, and notes how it ended."""

    def __init__(self, pieces: int) -> None:
        self.ended = asyncio.Event()
        self.last: Message = {}
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        talking = asyncio.create_task(self._talk(send))
        self.last = await receive()
        talking.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await talking
        self.ended.set()

    async def _talk(self, send: Send) -> None:
        for _ in range(self._pieces):
            await send({"type": "websocket.send", "text": PIECE})


@asynccontextmanager
async def served(talker: Talker) -> AsyncIterator[int]:
    """A port where the application answers."""
    config = uvicorn.Config(
        talker, ws_ping_interval=PING_SECONDS, ws_ping_timeout=PING_SECONDS, lifespan="off", log_config=None
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SocketProtocol(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def ended_within(talker: Talker) -> bool:
    """Whether the application heard of the end of somebody who shook hands and did nothing more."""
    async with served(talker) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(handshake("any-key-at-all"))
        try:
            await asyncio.wait_for(talker.ended.wait(), GONE_WITHIN)
        finally:
            writer.transport.abort()
    return bool(talker.last["type"] == "websocket.disconnect")


async def test_who_answers_no_ping_is_gone() -> None:
    assert await ended_within(Talker(pieces=0))


async def test_who_answers_no_ping_and_reads_nothing_is_gone_too() -> None:
    assert await ended_within(Talker(pieces=10_000))
