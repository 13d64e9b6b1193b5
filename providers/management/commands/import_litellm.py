"""Takes over the configuration of a LiteLLM Proxy."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.configuration.apply import configuration_apply
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import ConfigurationRefused
from providers.litellm_import.files import configuration_files, table_file_read
from providers.litellm_import.findings import Fate, Finding
from providers.litellm_import.report import lines_of
from providers.litellm_import.translate import Imported, translate

_LEFT_OUT = 3
_WORDS = {Fate.LEFT: "could not be taken", Fate.CHANGED: "taken as something else"}


class Command(BaseCommand):
    """Reads a `config.yaml`, says what becomes of each of its lines, and applies what can be taken."""

    help = "Take over a LiteLLM Proxy's configuration, keys and teams; exits with 3 if something was left."

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be asked for."""
        parser.add_argument("file", help="LiteLLM's config.yaml")
        parser.add_argument("--keys", metavar="FILE", help="LiteLLM_VerificationToken, as JSON or CSV")
        parser.add_argument("--teams", metavar="FILE", help="LiteLLM_TeamTable, as JSON or CSV")
        parser.add_argument(
            "--write",
            metavar="FILE",
            help="write the configuration file for `apply`, or - prints it, and apply nothing",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
        parser.add_argument("--strict", action="store_true", help="do nothing if something has to be left")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, report, and write or apply; --verbosity 2 lists every line."""
        try:
            imported = _read(options)
            self._report(imported, options)
            left = imported.of(Fate.LEFT)
            if left and options["strict"]:
                raise CommandError("Nothing was changed: something could not be taken.", returncode=_LEFT_OUT)
            if options["write"]:
                self._write(imported, options["write"])
            else:
                self._apply(imported, options)
        except ConfigurationRefused as error:
            problems = "\n".join(f"  {problem}" for problem in error.problems)
            raise CommandError(f"Nothing was changed:\n{problems}") from None
        if left:
            raise CommandError(f"Not all was taken, see above: {_counted(left)} left.", returncode=_LEFT_OUT)

    def _report(self, imported: Imported, options: dict[str, Any]) -> None:
        out = self.stderr if options["write"] == "-" else self.stdout
        complete = options["verbosity"] > 1
        for fate, words in _WORDS.items():
            found = imported.of(fate)
            if found:
                out.write(f"{words}: {_counted(found)}")
            for line in lines_of(found, complete=complete):
                out.write(f"  {line}")
        for note in imported.notes:
            out.write(f"note: {note}")
        out.write(f"taken as they are: {_counted(imported.of(Fate.TAKEN))}")
        for finding in imported.of(Fate.TAKEN) if complete else ():
            out.write(f"  {finding.path}")

    def _apply(self, imported: Imported, options: dict[str, Any]) -> None:
        dry_run = options["dry_run"]
        plan = configuration_apply(text=imported.text(), dry_run=dry_run)
        self._plan(plan, complete=options["verbosity"] > 1)
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")

    def _plan(self, plan: Plan, *, complete: bool) -> None:
        for step in plan.steps:
            if complete or step.action not in (Action.UNCHANGED, Action.KEPT):
                self.stdout.write(str(step))
        for note in plan.notes:
            self.stdout.write(f"note      {note}")
        self.stdout.write(", ".join(f"{count} {action}" for action, count in plan.counts().items()))

    def _write(self, imported: Imported, place: str) -> None:
        text = imported.text_shown()
        needed = imported.variables_needed()
        if place == "-":
            self.stdout.write(text, ending="")
        else:
            try:
                _private(Path(place), text)
            except OSError as error:
                raise CommandError(f"{place} cannot be written: {error.strerror}") from error
        for name, what in needed.items():
            self.stderr.write(f"Before you apply it, set {name} to the secret of {what}.")


def _read(options: dict[str, Any]) -> Imported:
    tables = {
        name: table_file_read(Path(options[name]), name) if options[name] else None
        for name in ("keys", "teams")
    }
    return translate(configuration_files(Path(options["file"])), environ=os.environ, **tables)


def _private(path: Path, text: str) -> None:
    """A file for its owner alone: it has the hashes of keys."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        if path.is_file():
            os.fchmod(descriptor, 0o600)
        file.write(text)


def _counted(findings: Sequence[Finding]) -> str:
    return f"{len(findings)} {'line' if len(findings) == 1 else 'lines'}"
