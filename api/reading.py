"""The lane's doors that only tell: health, and the models that a key may use."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from api.doors import Reading
from api.readiness import Health
from gateway.call import Origin
from gateway.catalog import Model, Snapshot, unknown_model
from gateway.errors import UnknownModel
from gateway.ports import Catalog, Directory
from gateway.principal import Principal
from gateway.steps.admit import may_use

_encode = msgspec.json.Encoder().encode


class Reader:
    """Answers the doors that cost nothing."""

    def __init__(
        self,
        *,
        directory: Directory,
        catalog: Catalog,
        health: Callable[[], Awaitable[Health]],
        service: str,
        version: str,
    ) -> None:
        self._directory = directory
        self._catalog = catalog
        self._health = health
        self._service = service
        self._version = version

    async def read(self, door: Reading, name: str, origin: Origin) -> tuple[int, bytes]:
        """Status and body."""
        if not door.needs_key:
            return await (self._live() if door.name == "live" else self._readiness())
        principal = await self._directory.identify(origin)
        snapshot = self._catalog.snapshot()
        if door.name == "model":
            return 200, door.dialect.render_model(_one(snapshot, principal, name))
        return 200, door.dialect.render_models(visible_models(snapshot, principal))

    async def _live(self) -> tuple[int, bytes]:
        told = {"status": "healthy", "service": self._service, "version": self._version}
        return 200, _encode(told)

    async def _readiness(self) -> tuple[int, bytes]:
        health = await self._health()
        status = "unavailable" if health.wrong else "ready"
        told = {"status": status, "service": self._service, "version": self._version, "wrong": health.wrong}
        told |= {"degraded": health.degraded} if health.degraded else {}
        return (503 if health.wrong else 200), _encode(told | health.facts)


def visible_models(snapshot: Snapshot, principal: Principal) -> list[Model]:
    """What a key may ask for by name: models and aliases, not patterns."""
    names = [name for name in snapshot.models if "*" not in name]
    listed = [snapshot.models[name] for name in names if may_use(principal, snapshot.models[name], name)]
    for alias, target in snapshot.aliases.items():
        with suppress(UnknownModel):
            model = snapshot.resolve(target)
            if may_use(principal, model, alias):
                listed.append(msgspec.structs.replace(model, name=alias))
    return sorted(listed, key=lambda model: model.name)


def _one(snapshot: Snapshot, principal: Principal, name: str) -> Model:
    model = snapshot.resolve(name)
    if not may_use(principal, model, name):
        raise unknown_model(name)
    return msgspec.structs.replace(model, name=name)
