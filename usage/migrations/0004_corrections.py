"""Corrections know their amounts and tenant, and when the books took them up."""

import uuid

from django.db import migrations, models

from tenants.triggers import additions_filled_once, additions_only, triggers_operation

_TABLE = "usage_correction"
_FIXED = (
    "id",
    "entry_id",
    "correcting_id",
    "tenant_id",
    "tenant",
    "kind",
    "cost_nano",
    "charge_nano",
    "reason",
    "created_by_id",
    "created_at",
)
_GUARDED_AS_BEFORE = triggers_operation(additions_only(_TABLE)).code


class Migration(migrations.Migration):
    """Adds columns; the triggers come after them, since SQLite loses those of a table that it alters."""

    dependencies = (("usage", "0003_claims"),)
    operations = (
        migrations.RunPython(migrations.RunPython.noop, _GUARDED_AS_BEFORE),
        migrations.AddField(
            model_name="correction",
            name="tenant_id",
            field=models.UUIDField(db_index=True, default=uuid.UUID(int=0)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="correction",
            name="tenant",
            field=models.CharField(default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="correction", name="cost_nano", field=models.BigIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="correction", name="charge_nano", field=models.BigIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="correction",
            name="applied_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="When the books had the mending entry.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="correction",
            name="entry_id",
            field=models.UUIDField(
                db_index=True, help_text="The entry that was wrong.", verbose_name="entry"
            ),
        ),
        migrations.AlterField(
            model_name="correction",
            name="correcting_id",
            field=models.UUIDField(
                error_messages={"unique": "This mending was asked for already."},
                help_text="The entry that mends it.",
                unique=True,
                verbose_name="mended by",
            ),
        ),
        migrations.AddIndex(
            model_name="correction",
            index=models.Index(
                condition=models.Q(("applied_at", None)), fields=["id"], name="usage_correction_pending"
            ),
        ),
        triggers_operation(additions_filled_once(_TABLE, "applied_at", fixed=_FIXED)),
    )
