"""What prompts mean, for all processes: sealed vectors in a stream for each space on Redis.

Every process has the newest spaces in its memory, and asks for what came since it looked last.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from redis.exceptions import ResponseError

from gateway.caching.errors import CacheAway
from gateway.caching.meanings import SPACES_AT_MOST
from gateway.caching.nearness import PROMPTS_AT_MOST, Near, Space, pointer_of, read_pointer
from gateway.errors import GatewayError
from gateway.ports import Vault
from usage.caching.pipe import Pipe
from usage.caching.redis import tenant_key

POINTERS_AT_MOST = 20_000
"""In the memory of one process, whatever their spaces: some 6 KB each."""
_AT_ONCE = 200
"""Vectors that are opened in one turn of the loop."""

_SCRIPT = (Path(__file__).parent / "meanings.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()


class _View:
    """A space as this process knows it, up to an entry of its stream."""

    __slots__ = ("last", "space")

    def __init__(self) -> None:
        self.last = b"-"
        self.space = Space()


class RedisMeanings:
    """Prompts of all processes, each found in the memory of this one."""

    def __init__(self, pipe: Pipe, vault: Vault) -> None:
        self._pipe = pipe
        self._vault = vault
        self._views: OrderedDict[tuple[UUID, str], _View] = OrderedDict()

    async def nearest(self, tenant: UUID, space: str, vector: Sequence[float]) -> Near | None:
        """The key whose prompt means the most alike."""
        pointer = pointer_of(vector)
        if pointer is None:
            return None
        try:
            view = await self._looked_at(tenant, space)
        except CacheAway:
            return None
        return view.space.nearest(pointer)

    async def keep(
        self, tenant: UUID, space: str, key: str, vector: Sequence[float], *, seconds: float
    ) -> None:
        """Remember what a prompt means, as long as the latest answer of its space is kept."""
        pointer = pointer_of(vector)
        if pointer is None:
            return
        sealed = self._vault.seal(pointer.parts.tobytes())
        told = (key.encode(), sealed, b"%d" % PROMPTS_AT_MOST, b"%d" % max(1, round(seconds * 1000)))
        try:
            await self._pipe.run(_DIGEST, _SCRIPT, b"1", _stream(tenant, space), *told)
        except CacheAway:
            return

    async def _looked_at(self, tenant: UUID, space: str) -> _View:
        view = self._views.setdefault((tenant, space), _View())
        self._views.move_to_end((tenant, space))
        count = _AT_ONCE
        while count == _AT_ONCE:
            since = view.last if view.last == b"-" else b"(" + view.last
            stream = _stream(tenant, space)
            page = await self._pipe.ask(b"XRANGE", stream, since, b"+", b"COUNT", b"%d" % _AT_ONCE)
            if isinstance(page, ResponseError):
                raise CacheAway from page
            for entry in cast(list[Any], page):
                self._take(view, entry)
            count = len(cast(list[Any], page))
        self._make_room()
        return view

    def _take(self, view: _View, entry: tuple[bytes, list[bytes]]) -> None:
        identifier, fields = entry
        named = dict(zip(fields[::2], fields[1::2], strict=True))
        view.last = identifier
        try:
            pointer = read_pointer(self._vault.open(named[b"vector"]))
        except GatewayError:  # sealed under a key that the ring has lost
            return
        view.space.add(named[b"key"].decode(), pointer)

    def _make_room(self) -> None:
        """The spaces that were asked about longest ago are read again when they are needed."""
        views = self._views
        while len(views) > 1 and (
            len(views) > SPACES_AT_MOST
            or sum(len(view.space.pointers) for view in views.values()) > POINTERS_AT_MOST
        ):
            views.popitem(last=False)


def _stream(tenant: UUID, space: str) -> bytes:
    return tenant_key(tenant, f"m:{space}")
