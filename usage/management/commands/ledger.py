"""Prints the ledger."""

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from gateway.entry import UNPRICEABLE
from gateway.ids import first_id
from tenants.models import Tenant
from usage.models import LedgerEntry
from usage.rendering import entry_fields

_CHUNK = 2000
_AGO = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOMENT = "a date, a date and time (UTC if it names no zone), or how long ago: 30m, 24h, 7d, 2w"


class Command(BaseCommand):
    """Prints ledger entries, oldest first, one JSON object a line."""

    help = "Print ledger entries as JSON lines, oldest first."

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be asked for."""
        parser.add_argument("--tenant", metavar="NAME", help="only entries of this tenant")
        parser.add_argument("--since", metavar="WHEN", help=f"only entries from then on: {_MOMENT}")
        parser.add_argument("--until", metavar="WHEN", help="only entries before then")
        parser.add_argument("--request", metavar="ID", help="only entries of this request")
        parser.add_argument(
            "--unpriced", action="store_true", help="only entries with units that no price stands behind"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was asked for, some thousand entries in memory at a time."""
        entries = _asked(options).order_by("id").iterator(chunk_size=_CHUNK)
        if options["unpriced"]:
            entries = filter(_is_unpriced, entries)
        try:
            while lines := [_line(entry) for entry in islice(entries, _CHUNK)]:
                self.stdout.write("\n".join(lines))
            self.stdout.flush()
        except BrokenPipeError:
            # The reader, such as `head`, has enough; without this, Python complains once more as it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _asked(options: dict[str, Any]) -> QuerySet[LedgerEntry]:
    entries = LedgerEntry.objects.all()
    now = timezone.now()
    if options["since"]:
        entries = entries.filter(id__gte=first_id(_milliseconds(options["since"], now)))
    if options["until"]:
        entries = entries.filter(id__lt=first_id(_milliseconds(options["until"], now)))
    if options["request"]:
        entries = entries.filter(request_id=options["request"])
    return _of_tenant(entries, options["tenant"]) if options["tenant"] else entries


def _of_tenant(entries: QuerySet[LedgerEntry], name: str) -> QuerySet[LedgerEntry]:
    """By id, which is indexed; a tenant that is gone lives on in its entries' names."""
    tenant = Tenant.objects.filter(name=name).first()
    if tenant is not None:
        return entries.filter(tenant_id=tenant.pk)
    entries = entries.filter(tenant=name)
    if not entries.exists():
        raise CommandError(f"There is no tenant {name}, and no entry of one.")
    return entries


def _milliseconds(text: str, now: datetime) -> int:
    if ago := _AGO.fullmatch(text):
        moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise CommandError(f"{text!r} is not {_MOMENT}.") from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, round(moment.timestamp() * 1000))


def _is_unpriced(entry: LedgerEntry) -> bool:
    """Whether a line has no row of the price book, and should have one."""
    return any(line.get("price") == 0 and line["meter"] not in UNPRICEABLE for line in entry.lines)


def _line(entry: LedgerEntry) -> str:
    return msgspec.json.encode(entry_fields(entry)).decode()
