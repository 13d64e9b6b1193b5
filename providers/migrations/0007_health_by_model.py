"""Health is of a deployment and a model there. Nothing has written the table yet, so it is made anew."""

import django.db.models.deletion
from django.db import migrations, models

import gateway.ids


class Migration(migrations.Migration):
    """Breakers that all processes go by."""

    dependencies = (("providers", "0006_routing_and_breakers"),)
    operations = (
        migrations.DeleteModel("Health"),
        migrations.CreateModel(
            name="Health",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "upstream_model",
                    models.CharField(
                        help_text="The model that was asked for there: a star stands for many.",
                        max_length=200,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("closed", "available"), ("open", "unavailable")],
                        default="closed",
                        help_text="Closed lets calls through.",
                        max_length=16,
                    ),
                ),
                ("version", models.BigIntegerField(help_text="Higher with every opening and closing.")),
                ("changed_at", models.DateTimeField(help_text="When it was opened or closed.")),
                (
                    "opened_at",
                    models.DateTimeField(blank=True, help_text="When it was last opened.", null=True),
                ),
                (
                    "until",
                    models.DateTimeField(blank=True, help_text="When its rest ends.", null=True),
                ),
                (
                    "claimed_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="A process has the probe, and this long nobody else gets it.",
                        null=True,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("process", "calls"), ("probe", "Probe"), ("operator", "Operator")],
                        default="process",
                        help_text="Who opened or closed it.",
                        max_length=16,
                    ),
                ),
                ("checked_at", models.DateTimeField(help_text="When it was last seen.")),
                (
                    "latency_ms",
                    models.PositiveIntegerField(
                        blank=True, help_text="How long the last probe took.", null=True
                    ),
                ),
                ("detail", models.CharField(blank=True, help_text="What went wrong.", max_length=500)),
                (
                    "deployment",
                    models.ForeignKey(
                        help_text="What was seen.",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="health",
                        to="providers.deployment",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "health",
                "ordering": ("deployment", "upstream_model"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["status"],
                        name="providers_health_open",
                    ),
                    models.Index(fields=["changed_at"], name="providers_health_changed"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment", "upstream_model"), name="providers_health_once"
                    )
                ],
            },
        ),
    )
