"""The lane on an engine in memory: a request goes in as ASGI does it, and what is sent comes back."""

import json
from asyncio import Future, get_running_loop
from dataclasses import dataclass, field
from typing import Any

from api.asgi import Message
from api.cors import Cors
from api.hosts import Hosts
from api.lane import Lane
from api.readiness import Health
from api.reading import Reader
from api.telling.desk import Desk
from gateway.memory import GlassVault, MemoryConversations, NoCache
from gateway.responses.keeping import Keeper
from tests.support.engine import KEY, Rig

_BODY_LIMIT = 1 << 20


@dataclass
class Sent:
    """What the lane sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    async def take(self, message: Message) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["body"]:
            self.pieces.append(message["body"])


def lane_on(rig: Rig) -> Lane:
    """A lane over this engine."""
    keeper = Keeper(MemoryConversations(rig.clock), GlassVault())
    desk = Desk(
        keeper=keeper,
        cache=NoCache(),
        vault=GlassVault(),
        catalog=rig.gateway.catalog,
        books=rig.books,
        clock=rig.clock,
        board=rig.gateway.board,
        health=_well,
        service="gateway",
        version="0",
        started=rig.clock.monotonic(),
    )
    return Lane(
        gateway=rig.gateway,
        reader=Reader(directory=rig.gateway.directory, desk=desk),
        hosts=Hosts(["localhost"]),
        cors=Cors(()),
        body_limit=_BODY_LIMIT,
    )


async def send_to(
    lane: Lane,
    path: str,
    body: bytes,
    *,
    key: str = KEY,
    media: str = "application/json",
    request: str = "r-1",
) -> Sent:
    """One request, by someone who stays until it is answered."""
    headers = {
        "host": "localhost",
        "authorization": f"Bearer {key}",
        "content-type": media,
        "content-length": str(len(body)),
        "x-request-id": request,
    }
    arrived: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return arrived.pop() if arrived else await staying

    staying: Future[Message] = get_running_loop().create_future()
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    sent = Sent()
    await lane(scope, receive, sent.take)
    return sent


async def _well() -> Health:
    return Health(wrong={}, degraded={}, facts={})
