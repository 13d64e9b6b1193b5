"""Imports prices from the cost map in the litellm package."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.cost_map import CostMapUnreadable, cost_map_read, cost_map_source, cost_map_text
from providers.models import Provider
from providers.price_import import ImportReport, prices_import

_LISTS = (
    ("created", "created"),
    ("changed", "changed"),
    ("set_by_people", "left alone, since people set them"),
    ("planned", "left alone, since a change is planned"),
    ("rounded", "rounded half to even"),
    (
        "listed_as_free",
        "listed as free, which may mean unknown: not imported; where it is so, set a price of 0",
    ),
    ("without_meter", "listed without a figure that a meter here counts"),
    ("filled", "sizes filled in"),
    ("unknown_providers", "providers that the cost map does not know by this name: use --map OURS=THEIRS"),
    ("unpriced", "deployments without any price"),
)
_SHOWN = 20


class Command(BaseCommand):
    """Brings the price book up to the cost map, and says what it could not do."""

    help = "Import prices for the models of configured providers from the cost map in the litellm package."

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be asked for."""
        parser.add_argument("--provider", action="append", default=[], metavar="NAME", help="only this one")
        parser.add_argument(
            "--map", action="append", default=[], metavar="OURS=THEIRS", help="our provider is their provider"
        )
        parser.add_argument("--file", metavar="PATH", help="another cost map than the installed package's")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and report; --verbosity 2 lists everything."""
        theirs = dict(_mapping(text) for text in options["map"])
        for name in (*options["provider"], *theirs):
            if not Provider.objects.filter(name=name).exists():
                raise CommandError(f"There is no provider {name}.")
        try:
            text = _text(options["file"]) if options["file"] else cost_map_text()
            listings = cost_map_read(text)
        except CostMapUnreadable as error:
            raise CommandError(error.message) from error
        report = prices_import(
            listings=listings,
            source=cost_map_source(),
            providers=options["provider"],
            theirs=theirs,
            dry_run=options["dry_run"],
        )
        self._report(report, complete=options["verbosity"] > 1)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed: this was a dry run.")

    def _report(self, report: ImportReport, *, complete: bool) -> None:
        for name, words in _LISTS:
            lines: list[str] = getattr(report, name)
            if not lines:
                continue
            self.stdout.write(f"{len(lines)} {words}")
            shown = lines if complete else lines[:_SHOWN]
            for line in shown:
                self.stdout.write(f"  {line}")
            if len(shown) < len(lines):
                self.stdout.write(f"  and {len(lines) - len(shown)} more: --verbosity 2 lists all")
        for name, count in sorted(report.unmapped.items()):
            self.stdout.write(f"{count} figures of {name} have no meter here and are left out")
        self.stdout.write(f"{report.unchanged} unchanged")


def _mapping(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not ours or not theirs:
        raise CommandError(f"Write --map OURS=THEIRS, not {text!r}.")
    return ours, theirs


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
