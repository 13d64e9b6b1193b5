"""Stands between books and Redis, loses replies, and leads elsewhere after a failover."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes on; on demand, replies are lost or wait."""

    def __init__(self, port: int) -> None:
        self.target = port
        """Where new connections lead."""
        self.port = 0
        self.swallow_after: int | None = None
        """So many replies come through, and the connection breaks in the place of the next one."""
        self.swallowed = asyncio.Event()
        self.gate = asyncio.Event()
        """Replies wait until it is set."""
        self.gate.set()
        self.held_up = asyncio.Event()
        """A reply waits."""
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break all connections, as the death of a master does."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, ours}
        try:
            pumps = [
                asyncio.ensure_future(self._pump(reader, ours)),
                asyncio.ensure_future(self._reply(theirs, writer)),
            ]
            _, waiting = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in waiting:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self._writers -= {writer, ours}
            writer.transport.abort()
            ours.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.swallow_after == 0:
                    self.swallow_after = None
                    self.swallowed.set()
                    return
                if self.swallow_after is not None:
                    self.swallow_after -= 1
                if not self.gate.is_set():
                    self.held_up.set()
                    await self.gate.wait()
                writer.write(data)


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a port."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.gate.set()
        proxy.cut()
        server.close()
        await server.wait_closed()
