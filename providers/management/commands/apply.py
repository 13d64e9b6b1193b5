"""Brings the gateway's configuration to what a file says."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.configuration.apply import configuration_apply
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import ConfigurationRefused


class Command(BaseCommand):
    """Applies a declarative file, or shows what applying it would do."""

    help = "Apply a configuration file; running it twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be asked for."""
        parser.add_argument("file", help="the YAML file, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
        parser.add_argument(
            "--prune", action="store_true", help="remove what the file's sections leave out, or block it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply and report; made-up keys are printed here and nowhere else."""
        dry_run = options["dry_run"]
        try:
            plan = configuration_apply(text=_text(options["file"]), prune=options["prune"], dry_run=dry_run)
        except ConfigurationRefused as error:
            problems = "\n".join(f"  {problem}" for problem in error.problems)
            raise CommandError(f"Nothing was changed:\n{problems}") from error
        self._report(plan, complete=dry_run or options["verbosity"] > 1)
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")
            return
        for issued in plan.issued:
            self.stdout.write(f"key {issued.owner}/{issued.name}, shown this once: {issued.secret}")

    def _report(self, plan: Plan, *, complete: bool) -> None:
        for step in plan.steps:
            if complete or step.action is not Action.UNCHANGED:
                self.stdout.write(str(step))
        for note in plan.notes:
            self.stdout.write(f"note      {note}")
        counts = ", ".join(f"{count} {action}" for action, count in plan.counts().items())
        self.stdout.write(counts or "The file names nothing.")


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
