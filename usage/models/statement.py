"""A tenant's month."""

from django.db import models
from django.db.models import Q

from tenants.models import IdentifiedModel


class Statement(IdentifiedModel):
    """What a tenant owes for a month; once closed, its figures stand."""

    class Status(models.TextChoices):
        """Whether the month still changes."""

        OPEN = "open"
        CLOSED = "closed"

    tenant_id = models.UUIDField()
    tenant = models.CharField(max_length=64)
    month = models.DateField(help_text="Its first day.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    rows = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    charge_nano = models.BigIntegerField(default=0)
    rounding_nano = models.BigIntegerField(default=0, help_text="What rounding to cents added or took.")
    digest = models.CharField(max_length=64, blank=True, help_text="Hash over the month's entries.")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-month", "tenant")
        constraints = (
            models.UniqueConstraint(fields=("tenant_id", "month"), name="usage_statement_month"),
            models.CheckConstraint(
                condition=Q(status="open", closed_at=None) | Q(status="closed", closed_at__isnull=False),
                name="usage_statement_closed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.tenant} {self.month:%Y-%m}"
