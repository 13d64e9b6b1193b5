"""Asks all processes of a gateway on Redis why a call went as it did.

1. whoever is asked publishes the question, with the name of a list where answers are expected
2. each process, this one too, looks into what it keeps and adds its answer to that list
3. as many answers as there were listeners are waited for, but not for long; what came is put together

A call has nothing to do with any of this: what is known of it stays in its process until somebody asks.
"""

import asyncio
import logging
from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.ports import Clock
from gateway.reasons import Reasons, Recent, Testimony, newest

ANSWERED_WITHIN = 0.5
"""Seconds for the answers of all."""
REACHED_WITHIN = 0.5
"""Seconds more for Redis itself."""
KEPT_SECONDS = 5
"""How long answers stay that nobody fetched."""
_LOOK_EVERY = 10.0
_PAUSE = 1.0

logger = logging.getLogger(__name__)


class Question(Struct, frozen=True, kw_only=True):
    """What is asked, and where the answer goes."""

    reply: str
    request_id: str
    tenants: tuple[UUID, ...] | None


class RedisWitnesses:
    """All processes that listen on the same Redis."""

    def __init__(self, url: str, *, recent: Recent, clock: Clock) -> None:
        self.listens = asyncio.Event()
        """Set while questions can be heard."""
        self._url = url
        self._recent = recent
        self._clock = clock
        self._redis = _connected(url)
        number = self._redis.connection_pool.connection_kwargs.get("db", 0)
        self._channel = f"gw:witnesses:{number}"
        """Channels are one and the same for all databases of a server, and gateways may share a server."""

    async def find(self, request_id: str, tenants: Collection[UUID] | None) -> Testimony:
        """What all know; without Redis what this process knows."""
        own = self._recent.find(request_id, tenants)
        question = Question(
            reply=f"gw:witnesses:{uuid4().hex}",
            request_id=request_id,
            tenants=None if tenants is None else tuple(tenants),
        )
        try:
            async with asyncio.timeout(ANSWERED_WITHIN + REACHED_WITHIN):
                others, is_whole = await self._ask(question)
        except (RedisError, OSError, TimeoutError) as error:
            logger.info("other processes could not be asked: %s", type(error).__name__)
            others, is_whole = [], False
        known = {one.call_id: one for one in (*own, *others)}
        return Testimony(found=tuple(newest(known.values())), is_whole=is_whole)

    async def listen(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await self._hear()
            except (RedisError, OSError, TimeoutError) as error:
                logger.info("no questions are heard for a moment: %s", type(error).__name__)
            finally:
                self.listens.clear()
            await self._clock.sleep(_PAUSE)

    async def close(self) -> None:
        """Hang up."""
        await self._redis.aclose()

    async def _ask(self, question: Question) -> tuple[list[Reasons], bool]:
        """What was answered in time, and whether everybody did."""
        listeners = await self._redis.publish(self._channel, _encode(question))
        found: list[Reasons] = []
        until = self._clock.monotonic() + ANSWERED_WITHIN
        for _ in range(listeners):
            left = max(0.01, until - self._clock.monotonic())
            told: Any = await self._redis.blpop([question.reply], timeout=left)
            if told is None:
                return found, False
            found += _answer(told[1])
        return found, listeners > 0

    async def _hear(self) -> None:
        redis = _connected(self._url)
        async with redis, redis.pubsub() as channel:
            await channel.subscribe(self._channel)
            while True:
                message = await channel.get_message(timeout=_LOOK_EVERY)  # between two, it sees who is there
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self.listens.set()
                elif message["type"] == "message":
                    await self._tell(message["data"])

    async def _tell(self, asked: bytes) -> None:
        try:
            question = _question(asked)
        except msgspec.MsgspecError:  # of another version, while machines are upgraded one by one
            logger.info("a question could not be read")
            return
        found = self._recent.find(question.request_id, question.tenants)
        async with asyncio.timeout(REACHED_WITHIN), self._redis.pipeline(transaction=True) as errand:
            errand.rpush(question.reply, _encode(found))
            errand.expire(question.reply, KEPT_SECONDS)
            await errand.execute()


def _connected(url: str) -> Redis:
    """A client without the library's own retries; it notices a connection that broke without a word."""
    pool = ConnectionPool.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=None,
        socket_connect_timeout=REACHED_WITHIN,
        health_check_interval=_LOOK_EVERY,
    )
    return Redis.from_pool(pool)


_encode = msgspec.msgpack.Encoder().encode
_question = msgspec.msgpack.Decoder(Question).decode
_answer = msgspec.msgpack.Decoder(list[Reasons]).decode
