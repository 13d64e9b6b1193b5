"""What routing, breakers and batches are told of models and deployments."""

import django.core.validators
from django.db import migrations, models

from tenants.triggers import revision_moves, triggers_operation

_TRIGGERS = (*revision_moves("providers_model"), *revision_moves("providers_deployment"))


class Migration(migrations.Migration):
    """Adds columns; the triggers come after them, since SQLite loses those of a table that it alters."""

    dependencies = (("providers", "0005_has_responses"), ("tenants", "0002_triggers"))
    operations = (
        migrations.RunPython(migrations.RunPython.noop, triggers_operation(_TRIGGERS).code),
        migrations.AddField(
            model_name="deployment",
            name="breaker_closed_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When an operator last closed its breaker: failures before this moment are forgotten.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="deployment",
            name="held_open",
            field=models.BooleanField(
                default=False,
                help_text="Keep its breaker open: calls go to its peers until this is taken back.",
                verbose_name="breaker held open",
            ),
        ),
        migrations.AddField(
            model_name="deployment",
            name="quality",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="How good its answers are, for models that choose by quality; 9000 is 0.9.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(10000)],
                verbose_name="quality in basis points",
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="batch_ms",
            field=models.PositiveSmallIntegerField(
                default=5,
                help_text="How long the first embedding of a batch waits for others.",
                validators=[django.core.validators.MaxValueValidator(1000)],
                verbose_name="batch wait in milliseconds",
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="batch_size",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="Most embeddings of one tenant that travel in one call; 1 sends each by itself.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(2048),
                ],
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="connect_timeout_ms",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Longest wait for a connection; empty is the provider's.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="first_byte_timeout_ms",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Longest wait for the answer to begin; empty is the provider's.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="hedge",
            field=models.BooleanField(
                default=False,
                help_text="Ask a second deployment too when the first is unusually slow; both may bill.",
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="idle_timeout_ms",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Longest silence within an answer; empty is the provider's.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="sticky",
            field=models.CharField(
                blank=True,
                choices=[("conversation", "Conversation"), ("end_user", "End User"), ("key", "Key")],
                help_text="What keeps to the deployment that served it, so that the provider's own cache is of use.",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="model",
            name="total_timeout_ms",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Longest time for a whole answer; empty is the provider's.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AlterField(
            model_name="model",
            name="strategy",
            field=models.CharField(
                choices=[
                    ("weighted", "Weighted"),
                    ("priority", "Priority"),
                    ("least_busy", "Least Busy"),
                    ("latency", "Latency"),
                    ("price", "Price"),
                    ("quality", "Quality"),
                    ("affinity", "same prefix, same deployment"),
                    ("sensitivity", "most secure first"),
                ],
                default="weighted",
                help_text="How to choose among its deployments.",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="deployment",
            constraint=models.CheckConstraint(
                condition=models.Q(("quality", None), ("quality__lte", 10000), _connector="OR"),
                name="providers_deployment_quality",
            ),
        ),
        migrations.AlterModelOptions(
            name="deployment",
            options={"ordering": ("model", "priority", "created_at", "id")},
        ),
        triggers_operation(_TRIGGERS),
    )
