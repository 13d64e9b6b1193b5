"""Starts the gateway."""

import asyncio
import logging
import socket
from contextlib import suppress
from typing import Any

import uvicorn
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from api.books import is_distributed
from api.protocol import Protocol
from api.socket_protocol import SocketProtocol
from gateway_project.demo import demo_prepare
from gateway_project.first_boot import first_boot
from gateway_project.lifeline import Lifeline
from gateway_project.supervisor import supervise

PARTS = ("web", "drain")
_BACKLOG = 2048
"""Connections that wait while web processes are busy or start: as many as uvicorn lets wait."""
_PONG_SECONDS = 60.0
"""Pings stand behind all that a slow reader has not read yet, so their answers may take a while."""


logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """`manage.py serve`: every part of the gateway in one go."""

    help = "Start the gateway: the web server, and what works beside it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to listen, and what to start."""
        parser.add_argument("--host", default=settings.HOST, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on")
        parser.add_argument("--fd", type=int, help="listening socket to use instead, already open")
        parser.add_argument("--workers", type=int, default=1, help="web processes")
        parser.add_argument(
            "--only", default="", help=f"parts to start, of: {', '.join(PARTS)}; all that apply unless told"
        )
        parser.add_argument(
            "--demo", action="store_true", help="migrate, and make a demo tenant, key, login and provider"
        )

    def handle(
        self, *, host: str, port: int, fd: int | None, workers: int, only: str, demo: bool, **_: Any
    ) -> None:
        """Prepare, then serve until told to stop."""
        parts = _parts(only, workers)
        if host not in settings.ALLOWED_HOSTS:
            settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, host]
        if demo:
            self.stdout.write(demo_prepare(host=host, port=port))
        if "web" in parts and fd is None:  # whoever hands a socket over has seen to it
            first_boot()
        if parts == {"drain"}:
            call_command("drain")
        elif parts == {"web"} and workers == 1:
            _serve(host, port, fd)
        elif not asyncio.run(_supervise(parts, workers, host, port)):
            raise CommandError("Not every process ended well.")


def _parts(only: str, workers: int) -> set[str]:
    """What to start, if it can be started together."""
    named = {part.strip() for part in only.split(",") if part.strip()}
    if unknown := named - set(PARTS):
        raise CommandError(f"--only knows {', '.join(PARTS)}; not {', '.join(sorted(unknown))}.")
    if workers < 1:
        raise CommandError("--workers must be at least 1.")
    try:
        if is_distributed():
            return named or set(PARTS)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    if "drain" in named:
        raise CommandError("The embedded books drain themselves: there is no part drain.")
    if workers != 1:
        raise CommandError(
            "The embedded books belong to one web process: --workers above 1 needs REDIS_URL and a "
            "DATABASE_URL on PostgreSQL."
        )
    return {"web"}


def _serve(host: str, port: int, fd: int | None) -> None:
    """Be the web process."""
    config = uvicorn.Config(
        "gateway_project.asgi:application",
        host=host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws=SocketProtocol,
        ws_max_size=settings.GATEWAY_MAX_BODY_BYTES,
        ws_ping_timeout=_PONG_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=30,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(None if fd is None else [socket.socket(fileno=fd)])


async def _supervise(parts: set[str], workers: int, host: str, port: int) -> bool:
    """Web processes on one socket, and the drainer, which ends last: it drains what they settled."""
    connections.close_all()
    lifeline = Lifeline(settings.BASE_DIR)
    shared = {"GATEWAY_ANONYMOUS_TENANT": settings.GATEWAY_ANONYMOUS_TENANT}
    with _listening(host, port) as listening:
        logger.info("%s web processes listen on %s:%s", workers, host, port)
        serving = ("serve", "--only", "web", "--host", host, "--fd", str(listening.fileno()))
        webs = [
            lifeline.child(f"web {number}", serving, shared, listening.fileno())
            for number in range(1, workers + 1)
        ]
        drains = [lifeline.child("drain", ("drain",), shared)] if "drain" in parts else []
        return await supervise(webs, drains, ending=listening.close)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CommandError(f"{host}:{port} cannot be listened on: {error}") from error
