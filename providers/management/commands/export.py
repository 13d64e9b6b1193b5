"""Writes the gateway's configuration as a file."""

from typing import Any

from django.core.management.base import BaseCommand

from providers.configuration.export import configuration_export


class Command(BaseCommand):
    """Prints the configuration as the file that `apply` reads."""

    help = "Print the configuration as a file for `apply`."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        self.stdout.write(configuration_export(), ending="")
