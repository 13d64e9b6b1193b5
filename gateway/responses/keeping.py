"""Responses that are kept: read again, deleted, and gone on from.

What was said before is put in front of a new input before the call is admitted, so that it is bounded and
paid for like the rest, and no provider is asked for what it may keep itself.
"""

import asyncio
import logging
import re
from uuid import UUID

import msgspec

from gateway.call import Ask, Reply
from gateway.ports import Conversations, Vault
from gateway.responses.errors import ConversationsAway, UnknownResponse
from gateway.responses.items import Kept, kept_of, read_items, with_items

KEPT_SECONDS = 30 * 86_400.0
KEPT_AT_MOST = 10_000
"""Responses of a tenant; the oldest give way."""

LONGEST_KEPT = 1 << 20
"""Bytes of a response with all that was said before it; a longer one is answered and not kept."""

KEPT_WITHIN = 2.0
"""Seconds that an answer waits for its being kept; after that it goes out all the same."""

_NAME = re.compile(r"[\x21-\x7e]{1,128}")
_LONGEST_TOLD = 200

logger = logging.getLogger(__name__)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Kept).decode


class Keeper:
    """Keeps responses and finds them again, each tenant its own."""

    def __init__(self, conversations: Conversations, vault: Vault) -> None:
        self._conversations = conversations
        self._vault = vault

    async def continued(self, ask: Ask, tenant: UUID) -> Ask:
        """The ask with what was said before in front of its input."""
        kept = await self._find(tenant, ask.previous)
        return with_items(ask, read_items(kept.items))

    async def keep(self, ask: Ask, reply: Reply, tenant: UUID) -> None:
        """Keep an answer; whatever hinders that, the answer goes out."""
        try:
            kept = kept_of(ask, reply, tenant)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            logger.warning("a response could not be read to be kept")
            return
        if len(kept.response) + len(kept.items) > LONGEST_KEPT or not _NAME.fullmatch(kept.name):
            return
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                await self._conversations.keep(tenant, kept.name, self._vault.seal(_pack(kept)))
        except (ConversationsAway, TimeoutError):
            logger.warning("a response could not be kept")

    async def read(self, tenant: UUID, name: str) -> bytes:
        """A response as it was answered."""
        return (await self._find(tenant, name)).response

    async def forget(self, tenant: UUID, name: str) -> None:
        """Keep a response no longer."""
        if not _NAME.fullmatch(name) or not await self._conversations.forget(tenant, name):
            raise _unknown(name)

    async def _find(self, tenant: UUID, name: str) -> Kept:
        sealed = await self._conversations.find(tenant, name) if _NAME.fullmatch(name) else None
        kept = None if sealed is None else _unpack(self._vault.open(sealed))
        if kept is None or (kept.tenant, kept.name) != (tenant, name):
            raise _unknown(name)
        return kept


def _unknown(name: str) -> UnknownResponse:
    return UnknownResponse(f"There is no response '{name[:_LONGEST_TOLD]}', or it is kept no longer.")
