"""Applies configuration files in tests, and watches what that writes."""

from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from providers.configuration.apply import configuration_apply
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import ConfigurationRefused

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "docs/gateway.example.yaml"
EXAMPLE_SECRETS = {"ACME_KEY": "gw-made-up-for-acme-0001", "OPS_KEY": "gw-made-up-for-ops-00001"}
_WRITES = ("INSERT", "UPDATE", "DELETE")


def apply(text: str, *, prune: bool = False, dry_run: bool = False) -> Plan:
    """Apply an indented text."""
    return configuration_apply(text=dedent(text), prune=prune, dry_run=dry_run)


def problems_of(text: str, *, prune: bool = False) -> list[str]:
    """What is wrong with a text, which must be refused."""
    with pytest.raises(ConfigurationRefused) as refused:
        apply(text, prune=prune)
    return list(refused.value.problems)


def steps(plan: Plan, action: Action) -> list[str]:
    """The things that an action meets."""
    return [step.thing for step in plan.steps if step.action is action]


def writes_of(queries: CaptureQueriesContext) -> list[str]:
    """The statements that wrote."""
    return [query["sql"] for query in queries.captured_queries if query["sql"].startswith(_WRITES)]


def watched() -> CaptureQueriesContext:
    """Captures the statements within."""
    return CaptureQueriesContext(connection)


def printed(command: str, *arguments: str, **options: object) -> str:
    """What a management command prints."""
    out = StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()
