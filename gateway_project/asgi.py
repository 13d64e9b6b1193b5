"""The two lanes: inference doors go straight to the engine, everything else to Django.

A call through Django's handler costs thread hops: 380 to 530 calls a second where the lane, ahead of
Channels' router and of it, serves thousands.
"""

import asyncio
import os
from typing import cast

from channels.routing import ProtocolTypeRouter
from django.contrib import admin
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django_lane = get_asgi_application()
admin.autodiscover()  # not at the first visit: calls are under way by then

from api.asgi import App, Receive, Scope, Send  # noqa: E402 - Django is set up first
from api.doors import dialect_of  # noqa: E402
from api.trying.inside import INSIDE, Inside  # noqa: E402
from api.wiring import Wiring  # noqa: E402
from gateway.ports import Witnesses  # noqa: E402


class TwoLanes:
    """Sends each request down its lane; whatever is no request of the lane's, a socket too, is routed."""

    def __init__(self, *, fast: App, routed: App) -> None:
        self._fast = fast
        self._routed = routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_fast = scope["type"] == "http" and dialect_of(scope["path"]) is not None
        await (self._fast if is_fast else self._routed)(scope, receive, send)


class Slow:
    """Django's lane, and the way from it to the fast one."""

    def __init__(self, *, django: App, fast: App, witnesses: Witnesses) -> None:
        self._django = django
        self._fast = fast
        self._witnesses = witnesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        inside = Inside(self._fast, asyncio.get_running_loop(), self._witnesses)
        await self._django({**scope, INSIDE: inside}, inside.overhear(receive), send)


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
application = TwoLanes(
    fast=wiring.lane,
    routed=ProtocolTypeRouter(
        {
            "http": Slow(django=cast(App, django_lane), fast=wiring.lane, witnesses=wiring.witnesses),
            "websocket": wiring.socket,
            "lifespan": Lifespan(wiring),
        }
    ),
)
