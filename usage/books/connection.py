"""One connection to Redis, below the client library's pools and retries: those cost more than the orders.

The library opens it, since it knows what an address may say of logins, TLS and sockets. From then on
the bytes are ours, and a parser in C reads the replies.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from hiredis import ProtocolError, Reader, pack_command
from redis.asyncio.connection import Connection as Opener
from redis.asyncio.connection import parse_url
from redis.exceptions import NoScriptError, RedisError, ResponseError

from gateway.errors import BooksAway

Command = tuple[bytes, ...]
Reply = bytes | int | list[bytes] | ResponseError | None


class Connection:
    """Opened when it is needed, and never used again once its replies may be out of step."""

    def __init__(self, url: str, *, timeout: float) -> None:
        options: dict[str, Any] = dict(parse_url(url))
        self._kind: type[Opener] = options.pop("connection_class", Opener)
        self._options = options | {"protocol": 2, "driver_info": None, "socket_timeout": None}
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._opener: Opener | None = None
        self._wire: _Wire | None = None
        self._server = ""

    async def exchange(self, ask: Callable[[str], Sequence[Command]]) -> list[Reply]:
        """Send commands at once and take their replies, errors among them as values.

        What is asked may depend on which server process answers. There is no second try here: a command
        whose reply was lost may have been carried out. The wait for those who came first counts too: each
        of them may wait in vain for as long.
        """
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                return await self._exchange(ask)
        except (RedisError, OSError, TimeoutError) as error:
            raise BooksAway from error

    async def close(self) -> None:
        """Hang up."""
        async with self._turn:
            await self._hang_up()

    async def _exchange(self, ask: Callable[[str], Sequence[Command]]) -> list[Reply]:
        try:
            wire = self._wire if self._wire is not None and self._wire.is_open else await self._opened()
            replies = await wire.exchange(ask(self._server))
        except BaseException:
            await self._hang_up()
            raise
        if wire.heard_error:
            await self._hang_up()  # of a master that was demoted, say: the address may lead elsewhere by now
        return replies

    async def _opened(self) -> "_Wire":
        await self._hang_up()
        self._opener = self._kind(**self._options)
        await self._opener.connect()  # type: ignore[no-untyped-call]  # the library's own omission
        writer = self._opener._writer  # the one way to have the library log in and not read
        assert writer is not None  # noqa: S101
        self._wire = wire = _Wire(writer.transport)
        (told,) = await wire.exchange([(b"INFO", b"server")])
        self._server = _run_id(told)
        return wire

    async def _hang_up(self) -> None:
        opener, self._opener, self._wire = self._opener, None, None
        if opener is not None:
            await opener.disconnect(nowait=True)


class _Wire(asyncio.Protocol):
    """Takes an open connection over; one exchange at a time."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.is_open = not transport.is_closing()
        self.heard_error = False
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(replyError=_error, notEnoughData=_NOT_YET)
        self._replies: list[Reply] = []
        self._due = 0
        self._waiter: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Send, and wait for as many replies."""
        if not self.is_open:
            raise ConnectionResetError
        self._replies, self._due = [], len(commands)
        self._waiter = self._loop.create_future()
        self._transport.write(b"".join(map(_packed, commands)))
        await self._waiter
        return self._replies

    def data_received(self, data: bytes) -> None:
        """Some bytes of replies."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _NOT_YET:
                self.heard_error |= isinstance(reply, ResponseError)
                self._replies.append(reply)
        except ProtocolError:
            self._transport.abort()
            return
        if len(self._replies) == self._due and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Redis hung up, or what it says is no longer understood."""
        self.is_open = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error or ConnectionResetError())


_NOT_YET = object()
_packed = cast(Callable[[Command], bytes], pack_command)


def _error(message: str) -> ResponseError:
    return NoScriptError(message) if message.startswith("NOSCRIPT") else ResponseError(message)


def _run_id(told: Reply) -> str:
    """Which process of Redis it is, if it may be known: another one may have lost something."""
    if isinstance(told, bytes):
        for line in told.splitlines():
            name, _, value = line.partition(b":")
            if name == b"run_id":
                return value.decode()
    return ""
