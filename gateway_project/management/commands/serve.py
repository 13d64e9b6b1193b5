"""Starts the gateway."""

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project.demo import demo_prepare
from gateway_project.first_boot import first_boot

PARTS = ("web",)


class Command(BaseCommand):
    """`manage.py serve`: every part of the gateway in one go."""

    help = "Start the gateway: the web server, and what works beside it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to listen, and what to start."""
        parser.add_argument("--host", default=settings.HOST, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on")
        parser.add_argument("--workers", type=int, default=1, help="web processes")
        parser.add_argument("--only", default="", help=f"parts to start, of: {', '.join(PARTS)}")
        parser.add_argument(
            "--demo", action="store_true", help="migrate, and make a demo tenant, key, login and provider"
        )

    def handle(self, *, host: str, port: int, workers: int, only: str, demo: bool, **_: Any) -> None:
        """Prepare, then serve until told to stop."""
        unknown = {part.strip() for part in only.split(",") if part.strip()} - set(PARTS)
        if unknown:
            raise CommandError(f"--only knows {', '.join(PARTS)}; not {', '.join(sorted(unknown))}.")
        if workers != 1:
            raise CommandError("The embedded books belong to one web process: --workers must be 1.")
        if host not in settings.ALLOWED_HOSTS:
            settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, host]
        if demo:
            self.stdout.write(demo_prepare(host=host, port=port))
        first_boot()
        uvicorn.run(
            "gateway_project.asgi:application",
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=30,
        )
