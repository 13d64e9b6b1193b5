"""Takes orders to Redis. Those of one turn of the loop travel together, and those that come meanwhile."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio.connection import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.fairness import QUANTUM
from gateway.ports import Clock
from gateway.turns import Quota
from providers.turns.orders import Order, limits_of

_SCRIPT = (Path(__file__).parent / "turns.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
_encode = msgspec.msgpack.Encoder().encode

_FAILURES = (RedisError, OSError, TimeoutError)

logger = logging.getLogger(__name__)

Future = asyncio.Future[Any]
Heard = Callable[[Quota, Sequence[int]], None]
"""Hears how a quota stands: places, requests, tokens, and milliseconds of its minute that are left."""


class TurnsAway(Exception):
    """The places that processes share cannot be reached; for the turnstile, never for callers."""


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """What every call tells the script."""

    lease_ms: int = 60_000
    """How long a place is kept for a process that says nothing."""
    waiting_lease_ms: int = 3_000
    """The same of those that wait, and of a place until whoever waited for it has heard of it."""
    quantum: int = QUANTUM


def connection_pool(url: str) -> ConnectionPool:
    """Connections without the library's own retries: who asks knows better what to do without Redis."""
    return ConnectionPool.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=None)


class Clerk:
    """One connection, and one round trip at a time."""

    def __init__(
        self,
        url: str,
        *,
        terms: Terms,
        clock: Clock | None,
        reply_timeout: float,
        heard: Heard,
        lost: Callable[[], None],
    ) -> None:
        self._pool = connection_pool(url)
        self._terms = terms
        self._clock = clock
        self._timeout = reply_timeout
        self._heard = heard
        self._lost = lost
        self._asked: list[tuple[Quota, Order, Future]] = []
        self._line = asyncio.Lock()
        self._is_closed = False
        self._walk: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    def ask(self, quota: Quota, order: Order) -> Future:
        """Have an order carried out after all that came before it, even if nobody waits; or `TurnsAway`."""
        future: Future = asyncio.get_running_loop().create_future()
        if self._is_closed:
            future.set_exception(TurnsAway())
            return future
        self._asked.append((quota, order, future))
        if self._walk is None:
            self._walk = asyncio.ensure_future(self._go())
        return future

    async def reach(self) -> None:
        """See whether Redis answers, or `TurnsAway`."""
        async with self._line:
            try:
                async with asyncio.timeout(self._timeout):
                    (reply,) = await self._exchange([(b"PING",)])
            except BaseException as error:  # cancelled too: its reply must not be taken for that of another
                await self._hang_up()
                if isinstance(error, _FAILURES):
                    raise TurnsAway from error
                raise
        if isinstance(reply, Exception):
            raise TurnsAway from reply

    async def close(self) -> None:
        """Carry out what was asked, and hang up for good."""
        self._is_closed = True
        while self._walk is not None:
            await asyncio.wait([self._walk])
        await self._hang_up()

    async def _go(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                await self._carry_out(asked)
        finally:
            self._walk = None

    async def _carry_out(self, asked: list[tuple[Quota, Order, Future]]) -> None:
        groups: dict[Quota, list[tuple[Order, Future]]] = {}
        for quota, order, future in asked:
            groups.setdefault(quota, []).append((order, future))
        packed = [
            (quota, self._packed(quota, [order for order, _ in group])) for quota, group in groups.items()
        ]
        async with self._line:
            try:
                async with asyncio.timeout(self._timeout):
                    replies = await self._run(packed)
            except _FAILURES as error:
                replies = [error] * len(groups)
            if any(isinstance(reply, Exception) for reply in replies):
                self._lost()
                await (
                    self._hang_up()
                )  # of a server that was demoted, say: the address may lead elsewhere by now
        for (quota, group), reply in zip(groups.items(), replies, strict=True):
            self._answer(quota, [future for _, future in group], reply)

    def _answer(self, quota: Quota, futures: list[Future], reply: Any) -> None:
        if isinstance(reply, Exception):
            logger.warning("a quota's places are not shared for now: %s", type(reply).__name__)
        else:
            self._heard(quota, reply[:4])
        for at, future in enumerate(futures):
            if future.done():  # its caller has left, and says so with another order
                continue
            if isinstance(reply, Exception):
                future.set_exception(TurnsAway())
            else:
                future.set_result(reply[4][at])

    def _packed(self, quota: Quota, orders: list[Order]) -> tuple[bytes, bytes]:
        terms = self._terms
        now_ms = 0 if self._clock is None else round(self._clock.now() * 1000)
        told = (now_ms, *limits_of(quota), terms.lease_ms, terms.waiting_lease_ms, terms.quantum, orders)
        return f"gw:{{q:{quota.id}}}:counters".encode(), _encode(told)

    async def _run(self, packed: list[tuple[Quota, tuple[bytes, bytes]]]) -> list[Any]:
        replies = await self._exchange([(b"EVALSHA", _DIGEST, b"1", *one) for _, one in packed])
        for at, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                (replies[at],) = await self._exchange([(b"EVAL", _SCRIPT, b"1", *packed[at][1])])
        return replies

    async def _exchange(self, commands: list[tuple[bytes, ...]]) -> list[Any]:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            await connection.connect()
        await connection.send_packed_command(connection.pack_commands(commands))
        replies: list[Any] = []
        for _ in commands:
            try:
                replies.append(await connection.read_response())
            except RedisError as error:
                if not connection.is_connected:
                    raise
                replies.append(error)
        return replies

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
