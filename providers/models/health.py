"""What probes last saw."""

from django.db import models

from providers.models.model import Deployment
from tenants.models import IdentifiedModel


class Health(IdentifiedModel):
    """A deployment's breaker and latency, as last seen by a probe."""

    class Status(models.TextChoices):
        """The breaker's state: closed lets calls through."""

        CLOSED = "closed", "available"
        HALF_OPEN = "half_open", "degraded"
        OPEN = "open", "unavailable"

    deployment = models.OneToOneField(
        Deployment, on_delete=models.CASCADE, related_name="health", help_text="What was probed."
    )
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.CLOSED, help_text="Closed lets calls through."
    )
    checked_at = models.DateTimeField(help_text="When it was last seen.")
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="How long the probe took.")
    detail = models.CharField(max_length=500, blank=True, help_text="What went wrong.")

    class Meta:
        verbose_name_plural = "health"
        ordering = ("deployment",)

    def __str__(self) -> str:
        return f"{self.deployment}: {self.get_status_display()}"
