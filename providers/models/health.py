"""How deployments are, as processes, probes and operators last saw them."""

from django.db import models

from providers.models.model import Deployment
from tenants.models import IdentifiedModel


class Health(IdentifiedModel):
    """The breaker of a deployment, for one model there; all processes go by it."""

    class Status(models.TextChoices):
        """The breaker's state: closed lets calls through. After its rest an open one lets a probe through."""

        CLOSED = "closed", "available"
        OPEN = "open", "unavailable"

    class Source(models.TextChoices):
        """Who said so."""

        PROCESS = "process", "calls"
        PROBE = "probe"
        OPERATOR = "operator"

    deployment = models.ForeignKey(
        Deployment, on_delete=models.CASCADE, related_name="health", help_text="What was seen."
    )
    upstream_model = models.CharField(
        max_length=200, help_text="The model that was asked for there: a star stands for many."
    )
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.CLOSED, help_text="Closed lets calls through."
    )
    version = models.BigIntegerField(help_text="Higher with every opening and closing.")
    changed_at = models.DateTimeField(help_text="When it was opened or closed.")
    opened_at = models.DateTimeField(null=True, blank=True, help_text="When it was last opened.")
    until = models.DateTimeField(null=True, blank=True, help_text="When its rest ends.")
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="A process has the probe, and this long nobody else gets it."
    )
    source = models.CharField(
        max_length=16, choices=Source.choices, default=Source.PROCESS, help_text="Who opened or closed it."
    )
    checked_at = models.DateTimeField(help_text="When it was last seen.")
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="How long the last probe took.")
    detail = models.CharField(max_length=500, blank=True, help_text="What went wrong.")

    class Meta:
        verbose_name_plural = "health"
        ordering = ("deployment", "upstream_model")
        constraints = (
            models.UniqueConstraint(fields=("deployment", "upstream_model"), name="providers_health_once"),
        )
        indexes = (
            models.Index(fields=("status",), name="providers_health_open", condition=models.Q(status="open")),
            models.Index(fields=("changed_at",), name="providers_health_changed"),
        )

    def __str__(self) -> str:
        return f"{self.deployment.provider}/{self.upstream_model}: {self.get_status_display()}"
