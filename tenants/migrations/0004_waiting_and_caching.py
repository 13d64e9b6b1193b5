"""How a tenant's calls wait and what is kept of them, and roles of its keys."""

import django.core.validators
from django.db import migrations, models

import tenants.validators
from tenants.triggers import revision_moves, triggers_operation

_POLICY = revision_moves("tenants_policy")
_KEY_COLUMNS = (
    "id",
    "created_at",
    "tenant_id",
    "project_id",
    "name",
    "digest",
    "pepper",
    "prefix",
    "last_four",
    "lineage",
    "models",
    "networks",
    "expires_at",
    "blocked",
    "grace_until",
    "rotated_from_id",
    "per_user_class_id",
    "roles",
    "all_tenants",
)
"""All but last_used_at, which moves with every call and changes no decision."""

_BEFORE = (*_POLICY, *revision_moves("tenants_apikey", columns=_KEY_COLUMNS))
_AFTER = (*_POLICY, *revision_moves("tenants_apikey", columns=(*_KEY_COLUMNS, "priority")))


class Migration(migrations.Migration):
    """Adds columns; the triggers come after them, since SQLite loses those of a table that it alters."""

    dependencies = (("tenants", "0003_notices"),)
    operations = (
        migrations.RunPython(migrations.RunPython.noop, triggers_operation(_BEFORE).code),
        migrations.AddField(
            model_name="apikey",
            name="priority",
            field=models.SmallIntegerField(
                default=0,
                help_text="Of its tenant's waiting calls those with the higher number go first.",
                validators=[
                    django.core.validators.MinValueValidator(-1000),
                    django.core.validators.MaxValueValidator(1000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="cache_seconds",
            field=models.PositiveIntegerField(
                default=3600,
                help_text="How long an answer may be given again.",
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="prompt_cache",
            field=models.CharField(
                choices=[("off", "Off"), ("auto", "ask where the provider needs to be asked")],
                default="off",
                help_text="Whether providers are asked to keep what prompts begin with; some bill for that.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="queue_length",
            field=models.PositiveIntegerField(
                default=100, help_text="Most calls of the tenant that wait at once; the next one is refused."
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="semantic_model",
            field=models.CharField(
                blank=True,
                help_text="Embedding model that finds prompts of the same meaning; empty finds the same bytes alone.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="semantic_threshold",
            field=models.PositiveSmallIntegerField(
                default=9500,
                help_text="Likeness in basis points from which prompts mean the same; 9500 is a cosine of 0.95.",
                validators=[django.core.validators.MaxValueValidator(10000)],
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="roles",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text='Beside calls, such as ["owner"]: owner, developer, finance or viewer for its tenant; '
                "operator or finance for a platform key.",
                validators=[tenants.validators.roles_validate],
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(
                condition=models.Q(("semantic_threshold__lte", 10000)),
                name="tenants_policy_semantic_threshold",
            ),
        ),
        triggers_operation(_AFTER),
    )
