"""The two lanes: inference doors go straight to the engine, everything else to Django.

A call through Django's handler costs thread hops: 380 to 530 calls a second where the lane, mounted in
Channels' router ahead of it, serves thousands.
"""

import asyncio
import os
from typing import cast

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django_lane = get_asgi_application()

from api.asgi import App, Receive, Scope, Send  # noqa: E402 - Django is set up first
from api.doors import dialect_of  # noqa: E402
from api.trying.inside import INSIDE, Inside  # noqa: E402
from api.wiring import Wiring  # noqa: E402
from gateway.ports import Witnesses  # noqa: E402


class TwoLanes:
    """Sends each request down its lane."""

    def __init__(self, *, fast: App, slow: App, witnesses: Witnesses) -> None:
        self._fast = fast
        self._witnesses = witnesses
        self._slow = slow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if dialect_of(scope["path"]) is not None:
            await self._fast(scope, receive, send)
            return
        inside = Inside(self._fast, asyncio.get_running_loop(), self._witnesses)
        await self._slow({**scope, INSIDE: inside}, inside.overhear(receive), send)


class Lifespan:
    """Starts the wiring with the server and stops it with it."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the server's own conversation."""
        await receive()
        try:
            await self._wiring.start()
        except Exception as error:  # noqa: BLE001 - the server prints it and ends
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._wiring.stop()
        await send({"type": "lifespan.shutdown.complete"})


wiring = Wiring()
application = ProtocolTypeRouter(
    {
        "http": TwoLanes(fast=wiring.lane, slow=cast(App, django_lane), witnesses=wiring.witnesses),
        "websocket": wiring.socket,
        "lifespan": Lifespan(wiring),
    }
)
