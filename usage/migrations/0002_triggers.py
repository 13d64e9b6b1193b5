"""Entries and corrections are only ever added."""

from django.db import migrations

from tenants.triggers import additions_only, triggers_operation


class Migration(migrations.Migration):
    """Triggers of the usage app."""

    dependencies = (("usage", "0001_initial"), ("tenants", "0002_triggers"))
    operations = (
        triggers_operation(additions_only("usage_ledgerentry"), additions_only("usage_correction")),
    )
