"""Mends an entry of the ledger."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.money import NANO, dollars, units_of
from usage.corrections import correction_add
from usage.models import Correction

_AMOUNT = "US dollars to add, such as -1.20, which gives back; nothing unless told"


class Command(BaseCommand):
    """`manage.py correct`: says what is to be mended; a running gateway writes the entry within seconds."""

    help = "Have a ledger entry mended by another one, which names it."

    def add_arguments(self, parser: CommandParser) -> None:
        """What is to be mended, by how much, and why."""
        parser.add_argument("entry", metavar="ENTRY", help="the id of the entry that is wrong")
        parser.add_argument("--kind", required=True, choices=Correction.Kind.values)
        parser.add_argument("--charge", metavar="USD", default="0", help=f"to the tenant: {_AMOUNT}")
        parser.add_argument("--cost", metavar="USD", default="0", help=f"to us: {_AMOUNT}")
        parser.add_argument(
            "--reason", metavar="TEXT", required=True, help="what was wrong, for whoever reads the ledger"
        )

    def handle(self, *, entry: str, kind: str, charge: str, cost: str, reason: str, **_: Any) -> None:
        """Ask for the mending."""
        try:
            correction = correction_add(
                entry_id=_identifier(entry),
                kind=kind,
                charge_nano=_nano("--charge", charge),
                cost_nano=_nano("--cost", cost),
                reason=reason,
                user=None,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        amounts = f"{dollars(correction.charge_nano)} of charge and {dollars(correction.cost_nano)} of cost"
        self.stdout.write(
            f"Entry {correction.correcting_id} will add {amounts} for {correction.tenant}, within seconds"
            " if the gateway runs, or else when it does."
        )


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not the id of an entry.") from error


def _nano(option: str, text: str) -> int:
    try:
        return units_of(text, NANO)
    except ValueError as error:
        raise CommandError(f"{option} {text}: {error}") from error
