"""uvicorn in the test's own process, around an app of the test's own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from api.protocol import Protocol

WITHIN = 10.0
"""Seconds that anything here may take at most."""


class Served:
    """A server that runs, and the way to it."""

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.server = server
        self.port = port

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def told(self, asked: bytes) -> bytes:
        """All that comes back on a connection by somebody who asks and then says no more."""
        reader, writer = await self.open()
        writer.write(asked)
        writer.write_eof()
        try:
            async with asyncio.timeout(WITHIN):
                return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    app: Callable[..., Any], protocol: type[Protocol] | str = Protocol, **options: Any
) -> AsyncIterator[Served]:
    """The app behind this protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, http=protocol, lifespan="off", log_config=None, server_header=False, **options
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield Served(server, int(listening.getsockname()[1]))
        except BaseException:  # what a test left open must not be waited for
            server.force_exit = True
            raise
        finally:
            server.should_exit = True
            await task


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    """The next answer that says its length."""
    async with asyncio.timeout(WITHIN):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)
