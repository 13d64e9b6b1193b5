"""The whole gateway as an ASGI app for a server of one's own: `uvicorn service:service.app`."""

import logging
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from api.asgi import App, Receive, Scope, Send

DEFAULT_NAME = "gateway-service"

_SETTINGS = "gateway_project.settings"
_ALSO = {"SERVICE_PORT": "PORT"}
_WITHOUT_EFFECT = frozenset({"CACHE_SERVICE_URL", "ENABLE_NATS", "ENABLE_OTEL"})
"""Known from elsewhere, and nothing in this version acts on them."""

logger = logging.getLogger(__name__)


class GatewayService:
    """An ASGI app that knows its name."""

    def __init__(self, *, name: str, app: App) -> None:
        self.name = name
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self.app(scope, receive, send)


def create_gateway_service(
    service_name: str = DEFAULT_NAME, config_overrides: Mapping[str, object] | None = None
) -> GatewayService:
    """The gateway with these settings, in this process: once, and before Django has read its own.

    Overrides are variables of `docs/settings.md` or providers' keys, in any case. Like `serve` it makes the
    platform key of `GATEWAY_ADMIN_TOKEN`, and like `serve` it migrates nothing.
    """
    if settings.configured or _SETTINGS in sys.modules:
        raise ImproperlyConfigured(
            "create_gateway_service must be called before Django is set up: its settings are read only once."
        )
    told = _variables({**(config_overrides or {}), "service_name": service_name})
    os.environ.update(told)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", _SETTINGS)
    known = {variable.name for variable in settings.ENVIRONMENT}
    unknown = sorted(name for name in told if name not in known and not name.endswith("_API_KEY"))
    if unknown:
        raise ImproperlyConfigured(f"These are no settings of the gateway: {', '.join(unknown)}.")
    app: App = import_module("gateway_project.asgi").application
    with ThreadPoolExecutor(1) as pool:  # servers load apps on their loop, where Django asks no database
        pool.submit(_first_boot).result()
    return GatewayService(name=service_name, app=app)


def _variables(overrides: Mapping[str, object]) -> dict[str, str]:
    """Overrides as the environment has them."""
    told = {}
    for name, value in overrides.items():
        variable = _ALSO.get(name.upper(), name.upper())
        if variable in _WITHOUT_EFFECT:
            logger.warning("%s has no effect: nothing in this version acts on it", variable)
        else:
            told[variable] = str(value).lower() if isinstance(value, bool) else str(value)
    return told


def _first_boot() -> None:
    from django.db import connections

    from gateway_project.first_boot import first_boot

    try:
        first_boot()
    finally:
        connections.close_all()
