"""Moves the journal from Redis to the ledger on PostgreSQL."""

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tenants.conninfo import conninfo
from usage.drain.drainer import Drainer
from usage.drain.failures import Away
from usage.drain.journal import PACE_SECONDS, Journal
from usage.drain.ledger import Ledger
from usage.partitions import partitions_ensure


class Command(BaseCommand):
    """`manage.py drain`: as many of them as are needed run beside the web processes."""

    help = "Move ledger lines from Redis to PostgreSQL, until told to stop."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to stay."""
        parser.add_argument("--once", action="store_true", help="move what is there, and end")

    def handle(self, *, once: bool, **_: Any) -> None:
        """Move lines."""
        drainer = _make_drainer()
        try:
            if once:
                drainer.run_once()
            else:
                _let_signals_stop(drainer)
                drainer.run()
        except Away as away:
            raise CommandError(str(away)) from away
        finally:
            drainer.close()
        self.stdout.write(f"{drainer.rows} rows were added to the ledger.")
        if drainer.set_aside:
            self.stdout.write(f"{drainer.set_aside} lines could not be rows and were set aside.")


def _make_drainer() -> Drainer:
    if not settings.REDIS_URL:
        raise CommandError("The journal is on Redis: set REDIS_URL.")
    if connection.vendor != "postgresql":
        raise CommandError("The journal is drained to PostgreSQL: set DATABASE_URL to one.")
    # An answer that waits for its row waits for no company.
    pace = 0.0 if settings.GATEWAY_LEDGER_COMMIT == "DATABASE" else PACE_SECONDS
    return Drainer(
        journal=Journal(settings.REDIS_URL, pace=pace), ledger=Ledger(conninfo()), upkeep=_make_months
    )


def _make_months() -> None:
    """Once a day is too seldom to keep Django's connection for it."""
    try:
        partitions_ensure()
    finally:
        connection.close()


def _let_signals_stop(drainer: Drainer) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: drainer.stop())
