"""Providers that answer requests for responses themselves."""

from django.db import migrations, models

from tenants.triggers import revision_moves, triggers_operation

_TRIGGERS = revision_moves("providers_provider")


class Migration(migrations.Migration):
    """Adds a column; the triggers come after it, since SQLite loses those of a table that it alters."""

    dependencies = (("providers", "0004_image_tokens"), ("tenants", "0002_triggers"))
    operations = (
        migrations.RunPython(migrations.RunPython.noop, triggers_operation(_TRIGGERS).code),
        migrations.AddField(
            model_name="provider",
            name="has_responses",
            field=models.BooleanField(
                default=False,
                help_text="Answers /responses itself; for others such calls are made as chats.",
            ),
        ),
        triggers_operation(_TRIGGERS),
    )
