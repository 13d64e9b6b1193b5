"""One connection to Redis, below the client library's pools and retries: those cost more than the orders."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.connection import Connection as Socket
from redis.asyncio.connection import parse_url
from redis.exceptions import RedisError, ResponseError

from gateway.errors import BooksAway

Command = tuple[bytes, ...]
Reply = bytes | int | list[bytes] | ResponseError | None


class Connection:
    """Opened when it is needed, and never used again once its replies may be out of step."""

    def __init__(self, url: str, *, timeout: float) -> None:
        options: dict[str, Any] = dict(parse_url(url))
        self._kind: type[Socket] = options.pop("connection_class", Socket)
        self._options = options | {"protocol": 2, "driver_info": None, "socket_timeout": None}
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._socket: Socket | None = None
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
            socket = await self._opened()
            replies = await _exchange(socket, ask(self._server))
        except BaseException:
            await self._hang_up()
            raise
        if any([isinstance(reply, ResponseError) for reply in replies]):
            await self._hang_up()  # of a master that was demoted, say: the address may lead elsewhere by now
        return replies

    async def _opened(self) -> Socket:
        if self._socket is None or not self._socket.is_connected:
            self._socket = self._kind(**self._options)
            await self._socket.connect()  # type: ignore[no-untyped-call]  # the library's own omission
            (told,) = await _exchange(self._socket, [(b"INFO", b"server")])
            self._server = _run_id(told)
        return self._socket

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.disconnect(nowait=True)


async def _exchange(socket: Socket, commands: Sequence[Command]) -> list[Reply]:
    await socket.send_packed_command(b"".join(map(_packed, commands)), check_health=False)
    return [await _reply(socket) for _ in commands]


async def _reply(socket: Socket) -> Reply:
    try:
        reply: Reply = await socket.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
    return reply


def _packed(command: Command) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    for part in command:
        parts.append(b"$%d\r\n%b\r\n" % (len(part), part))
    return b"".join(parts)


def _run_id(told: Reply) -> str:
    """Which process of Redis it is, if it may be known: another one may have lost something."""
    if isinstance(told, bytes):
        for line in told.splitlines():
            name, _, value = line.partition(b":")
            if name == b"run_id":
                return value.decode()
    return ""
