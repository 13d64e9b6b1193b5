"""Applies a declarative file: all of it, in one transaction, or nothing."""

from django.db import transaction
from django.utils import timezone
from msgspec import UnsetType

from providers.configuration.book import prices_apply
from providers.configuration.bounds import classes_apply
from providers.configuration.credentials import keys_apply
from providers.configuration.hosts import providers_apply
from providers.configuration.names import names_check
from providers.configuration.plan import Plan
from providers.configuration.pruning import known_stored, sections_prune
from providers.configuration.reading import configuration_read
from providers.configuration.routing import aliases_apply, defaults_apply, models_apply
from providers.configuration.schema import Configuration
from providers.configuration.tenancy import tenants_apply
from tenants.models import Revision


def configuration_apply(*, text: str, prune: bool = False, dry_run: bool = False) -> Plan:
    """Bring the database to what the text says and answer what that took; a dry run takes it back.

    1. Read the text; its form must be right throughout.
    2. Wait for any other apply to end.
    3. Look every name up.
    4. Apply section by section, what is referred to before what refers to it.
    5. Prune, or note what would be pruned.
    6. Refuse everything if anything was wrong.
    """
    file = configuration_read(text)
    plan = Plan(prune=prune)
    with transaction.atomic():
        Revision.objects.select_for_update().first()
        plan.problems.extend(names_check(file, known_stored(file, prune=prune)))
        _sections_apply(plan, file)
        sections_prune(plan, file)
        plan.refuse_problems()
        transaction.set_rollback(dry_run)
    return plan


def _sections_apply(plan: Plan, file: Configuration) -> None:
    classes_apply(plan, file.limit_classes or {})
    tenants_apply(plan, file.tenants or {})
    providers_apply(plan, file.providers or {})
    models_apply(plan, file.models or {})
    aliases_apply(plan, file.aliases or {})
    if file.defaults:
        defaults_apply(plan, file.defaults)
    prices_apply(plan, file, timezone.now())
    if file.platform and not isinstance(file.platform.keys, UnsetType):
        keys_apply(plan, None, file.platform.keys, "platform.keys")
