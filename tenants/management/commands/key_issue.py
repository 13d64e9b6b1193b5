"""Issues a key."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from tenants.keys import key_issue
from tenants.models import ApiKey, Project, Tenant
from tenants.roles import PLATFORM_ROLES, TENANT_ROLES


class Command(BaseCommand):
    """Issues a key of a tenant or of the platform and prints it, this once."""

    help = "Issue a key and print it; it cannot be printed again."

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be asked for."""
        parser.add_argument("names", nargs="+", metavar="TENANT NAME", help="with --platform, NAME alone")
        parser.add_argument("--project", metavar="NAME", help="where its spending is booked")
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="NAME",
            help="only this model or pattern",
        )
        parser.add_argument("--expires", metavar="WHEN", help="such as 2031-01-01T00:00:00Z")
        parser.add_argument("--platform", action="store_true", help="a key of no tenant")
        parser.add_argument(
            "--role",
            action="append",
            default=[],
            choices=dict.fromkeys((*PLATFORM_ROLES, *TENANT_ROLES)),
            help=f"{' or '.join(PLATFORM_ROLES)} with --platform; else {', '.join(TENANT_ROLES)}",
        )
        parser.add_argument(
            "--for-tenant", action="append", default=[], metavar="NAME", help="a platform key may act for it"
        )
        parser.add_argument("--all-tenants", action="store_true", help="a platform key may act for every one")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key alone, so that scripts can keep it."""
        tenant, name = _whose(options["names"], platform=options["platform"])
        if ApiKey.objects.filter(tenant=tenant, name=name, blocked=False, grace_until=None).exists():
            raise CommandError(f"There is a live key {name} already.")
        try:
            _, secret = key_issue(
                tenant=tenant,
                name=name,
                project=_project(tenant, options["project"]),
                models=options["model"],
                expires_at=_moment(options["expires"]),
                roles=options["role"],
                all_tenants=options["all_tenants"],
                granted_tenants=[_tenant(granted) for granted in options["for_tenant"]],
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(secret)


def _whose(names: list[str], *, platform: bool) -> tuple[Tenant | None, str]:
    if platform and len(names) == 1:
        return None, names[0]
    if platform or len(names) != 2:
        raise CommandError("Write TENANT NAME, or --platform NAME.")
    return _tenant(names[0]), names[1]


def _tenant(name: str) -> Tenant:
    tenant = Tenant.objects.filter(name=name).first()
    if tenant is None:
        raise CommandError(f"There is no tenant {name}.")
    return tenant


def _project(tenant: Tenant | None, name: str | None) -> Project | None:
    if name is None:
        return None
    project = Project.objects.filter(tenant=tenant, name=name).first() if tenant else None
    if project is None:
        raise CommandError(f"There is no project {name} in {tenant or 'the platform'}.")
    return project


def _moment(text: str | None) -> Any:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a moment: {error}.") from error
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{text!r} is not a moment with its zone, such as 2031-01-01T00:00:00Z.")
    return moment
