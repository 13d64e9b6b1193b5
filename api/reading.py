"""The lane's doors that cost nothing: who asks is identified, and told what they may see."""

from inspect import isawaitable
from typing import cast
from urllib.parse import parse_qsl

import msgspec

from api.doors import Keeping, ModelLister, Reading, Telling
from api.telling.desk import Desk, Question
from api.telling.models import one_model, visible_models
from gateway.call import Origin
from gateway.ports import Directory
from gateway.responses.keeping import Keeper

_encode = msgspec.json.Encoder().encode


class Reader:
    """Answers the doors that cost nothing."""

    def __init__(
        self,
        *,
        directory: Directory,
        keeper: Keeper,
        desk: Desk,
    ) -> None:
        self._directory = directory
        self._keeper = keeper
        self._desk = desk

    async def read(self, door: Reading, name: str, origin: Origin) -> tuple[int, bytes]:
        """Status and body."""
        if not door.needs_key:
            return await (self._live() if door.name == "live" else self._readiness())
        principal = await self._directory.identify(origin)
        snapshot, lister = self._desk.catalog.snapshot(), cast(ModelLister, door.dialect)
        if door.name == "model":
            return 200, lister.render_model(one_model(snapshot, principal, name))
        return 200, lister.render_models(visible_models(snapshot, principal))

    async def tell(self, door: Telling, name: str, query: bytes, body: bytes, origin: Origin) -> bytes:
        """What there is to tell."""
        question = Question(
            principal=await self._directory.identify(origin),
            snapshot=self._desk.catalog.snapshot(),
            name=name,
            wishes=dict(parse_qsl(query.decode("latin-1"))),
            asked=door.read(body) if door.read is not None else None,
        )
        told = door.tell(self._desk, question)
        return door.render(await told if isawaitable(told) else told)

    async def kept(self, door: Keeping, method: str, name: str, origin: Origin) -> bytes:
        """An answer that was kept, or that it is kept no longer."""
        tenant = (await self._directory.identify(origin)).tenant_id
        if method == "DELETE":
            await self._keeper.forget(tenant, name)
            return door.dialect.render_deleted(name)
        return await self._keeper.read(tenant, name)

    async def _live(self) -> tuple[int, bytes]:
        told = {"status": "healthy", "service": self._desk.service, "version": self._desk.version}
        return 200, _encode(told)

    async def _readiness(self) -> tuple[int, bytes]:
        desk = self._desk
        health = await desk.health()
        status = "unavailable" if health.wrong else "ready"
        told = {"status": status, "service": desk.service, "version": desk.version, "wrong": health.wrong}
        told |= {"degraded": health.degraded} if health.degraded else {}
        return (503 if health.wrong else 200), _encode(told | health.facts)
