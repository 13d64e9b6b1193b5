"""Models for calls that name none."""

from django.db import migrations, models

import gateway.ids
from tenants.triggers import revision_moves, triggers_operation


class Migration(migrations.Migration):
    """Makes the table, and its triggers."""

    dependencies = (("providers", "0002_triggers"),)
    operations = (
        migrations.CreateModel(
            name="PlatformDefault",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("chat", "Chat"), ("embedding", "Embedding")],
                        help_text="The kind of call that it is for.",
                        max_length=16,
                        unique=True,
                    ),
                ),
                (
                    "model",
                    models.CharField(help_text="The model or alias that such a call gets.", max_length=200),
                ),
            ],
            options={"ordering": ("kind",)},
        ),
        triggers_operation(revision_moves("providers_platformdefault")),
    )
