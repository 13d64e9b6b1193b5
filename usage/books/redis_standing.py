"""How accounts on Redis stand, and windows that begin anew: small scripts beside the one of the orders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec

from gateway.accounts import Account
from gateway.errors import BooksAway
from gateway.standing import Standing, is_renewable, standing_of
from gateway.windows import window_bounds
from usage.books.redis_shards import Shards
from usage.books.shards import shard_key, shard_of

_FOLDER = Path(__file__).parent
_LOOK = (_FOLDER / "look.lua").read_bytes()
_RESET = (_FOLDER / "reset.lua").read_bytes()
_DONE = 1

_Told = tuple[Literal["ready", "rebuilding", "lost", ""], int, list[tuple[int, int, int, int]]]
_read = msgspec.msgpack.Decoder(_Told, strict=False).decode


async def look(shards: Shards, tenant_id: UUID, accounts: Sequence[Account]) -> list[Standing]:
    """How a tenant's accounts stand; `BooksAway` while its shard is not in service."""
    if not accounts:
        return []
    reply = await _call(shards, _LOOK, tenant_id, [account.id.encode() for account in accounts])
    status, now_ms, told = _read(reply) if isinstance(reply, bytes) else ("", 0, [])
    if status != "ready":
        raise BooksAway
    return [
        standing_of(
            account,
            used=spent + held,
            window_ends_ms=ends_ms,
            cooling_until_ms=cooling_until_ms,
            now_ms=now_ms,
        )
        for account, (ends_ms, spent, held, cooling_until_ms) in zip(accounts, told, strict=True)
    ]


async def reset(shards: Shards, tenant_id: UUID, accounts: Sequence[Account]) -> int:
    """Begin windows anew; how many accounts that were."""
    chosen = [account for account in accounts if is_renewable(account)]
    if not chosen:
        return 0
    arguments = [part for account in chosen for part in (account.id.encode(), b"%d" % _rate_length(account))]
    if await _call(shards, _RESET, tenant_id, arguments) != _DONE:
        raise BooksAway
    return len(chosen)


async def _call(shards: Shards, script: bytes, tenant_id: UUID, arguments: Sequence[bytes]) -> object:
    key = shard_key(shard_of(tenant_id), "state").encode()
    return await shards.command(b"EVAL", script, b"1", key, b"%d" % shards.given_now_ms, *arguments)


def _rate_length(account: Account) -> int:
    """How long the window of a rate is; 0 for one that follows the calendar, or never ends."""
    if account.length_ms or account.window in ("second", "minute", "hour"):
        return window_bounds(account.window, account.zone, 0, account.length_ms)[1]
    return 0
