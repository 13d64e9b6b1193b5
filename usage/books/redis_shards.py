"""The shards on Redis, as one process asks them: one script call for each, all of them sent at once."""

import logging
from collections.abc import Iterable, Mapping
from hashlib import sha1
from pathlib import Path

from msgspec import Struct
from redis.exceptions import NoScriptError, ResponseError

from gateway.errors import BooksAway
from gateway.memory import SystemClock
from gateway.ports import Clock
from usage.books.connection import Command, Connection, Reply
from usage.books.orders import Batch, Calendar, Header, Receipt, read_receipt
from usage.books.shards import shard_key

_FOLDER = Path(__file__).parent
_STATE, *_BODY, _ANSWER = (
    (_FOLDER / f"{part}.lua").read_text()
    for part in ("state", "counters", "holds", "claims", "books", "answer")
)
_SCRIPT = "\n".join((_STATE, "local function carry_out()", *_BODY, "end", _ANSWER)).encode()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()

logger = logging.getLogger(__name__)


class Terms(Struct, frozen=True, kw_only=True):
    """What every batch tells the script."""

    lease_ms: int
    backlog_at_most: int
    """Lines of one shard that may wait for the ledger before new calls are refused."""
    rebuild_ms: int
    """How long the living may bring back what a shard has lost, before it is in service again."""
    replicas: int = 0
    """How many must have heard of what is written before it counts."""
    replicas_ms: int = 500
    """How long they may take for it."""


class Shards:
    """Asks, and remembers how far each shard was, so that one that falls behind is noticed."""

    def __init__(self, connection: Connection, terms: Terms, clock: Clock | None) -> None:
        self.connection = connection
        self.terms = terms
        self.status: dict[int, str] = {}
        """What each shard said last."""
        self._clock = clock
        self._time = clock or SystemClock()
        self._calendar = Calendar()
        self._seen: dict[int, tuple[int, int]] = {}

    def batch(self) -> Batch:
        """An empty one."""
        return Batch(self._calendar, self.now_ms)

    async def ask(self, batches: Mapping[int, Batch]) -> dict[int, Receipt]:
        """Carry out batches by shard; a shard that answered with an error is not among the receipts."""
        replies = await self._call(batches, b"EVALSHA", _DIGEST)
        unknown = {
            shard: batches[shard] for shard, reply in replies.items() if isinstance(reply, NoScriptError)
        }
        if unknown:
            replies |= await self._call(unknown, b"EVAL", _SCRIPT)
        receipts = {}
        for shard, reply in replies.items():
            if isinstance(reply, bytes):
                receipts[shard] = self._note(shard, read_receipt(reply))
            elif isinstance(reply, ResponseError):
                logger.error("the books of shard %d failed: %s", shard, reply)
        return receipts

    async def command(self, *command: bytes) -> Reply:
        """Ask for something that is no batch."""
        (reply,) = await self.connection.exchange(lambda _: [command])
        if isinstance(reply, ResponseError):
            raise BooksAway from reply
        return reply

    @property
    def now_ms(self) -> int:
        """The time as this process knows it."""
        return round(self._time.now() * 1000)

    @property
    def given_now_ms(self) -> int:
        """The time that counts in the place of Redis's own; 0 if that one counts."""
        return 0 if self._clock is None else round(self._clock.now() * 1000)

    async def _call(self, batches: Mapping[int, Batch], *script: bytes) -> dict[int, Reply]:
        def ask(server: str) -> Iterable[Command]:
            for shard, batch in batches.items():
                key = shard_key(shard, "state").encode()
                yield (*script, b"1", key, *batch.packed(self._header(shard, server)))

        terms = self.terms
        if not terms.replicas:
            replies = await self.connection.exchange(lambda server: list(ask(server)))
            return dict(zip(batches, replies, strict=True))
        wait = (b"WAIT", b"%d" % terms.replicas, b"%d" % terms.replicas_ms)
        *replies, heard = await self.connection.exchange(lambda server: [*ask(server), wait])
        if not isinstance(heard, int) or heard < terms.replicas:
            raise BooksAway  # it may still be lost with this server, and is asked for again
        return dict(zip(batches, replies, strict=True))

    def _header(self, shard: int, server: str) -> Header:
        seen, seen_at = self._seen.get(shard, (0, 0))
        terms = self.terms
        return Header(
            seen=seen,
            seen_at=seen_at,
            server=server,
            now_ms=self.given_now_ms,
            lease_ms=terms.lease_ms,
            backlog_at_most=terms.backlog_at_most,
            rebuild_ms=terms.rebuild_ms,
        )

    def _note(self, shard: int, receipt: Receipt) -> Receipt:
        self._seen[shard] = (receipt.seq, receipt.at)
        self.status[shard] = receipt.status
        return receipt
