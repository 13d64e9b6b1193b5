"""The lane's doors that cost nothing: who asks is identified, and told what they may see."""

from inspect import isawaitable
from urllib.parse import parse_qsl

from api.doors import Telling
from api.telling.desk import Desk, Question
from gateway.call import Origin
from gateway.ports import Directory


class Reader:
    """Answers the doors that cost nothing."""

    def __init__(self, *, directory: Directory, desk: Desk) -> None:
        self._directory = directory
        self._desk = desk

    async def tell(
        self, door: Telling, *, method: str, name: str, query: bytes, body: bytes, origin: Origin
    ) -> tuple[int, bytes]:
        """Status and body."""
        question = Question(
            caller=await self._directory.identify(origin) if door.needs_key else None,
            snapshot=self._desk.catalog.snapshot(),
            method=method,
            name=name,
            wishes=dict(parse_qsl(query.decode("latin-1"))),
            asked=door.read(body) if door.read is not None else None,
        )
        told = door.tell(self._desk, question)
        if isawaitable(told):
            told = await told
        return door.status(told), door.render(told)
