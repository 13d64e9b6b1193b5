"""What people thought of an answer."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from tenants.models import IdentifiedModel
from tenants.validators import texts_validate


class Feedback(IdentifiedModel):
    """A rating of one answer."""

    request_id = models.CharField(max_length=128, help_text="The call that was rated.")
    tenant_id = models.UUIDField()
    key_id = models.UUIDField(null=True, blank=True)
    score = models.SmallIntegerField(
        validators=[MinValueValidator(-100), MaxValueValidator(100)],
        help_text="-100 is bad, 100 is good; thumbs and stars are mapped to it.",
    )
    comment = models.TextField(blank=True)
    labels = models.JSONField(default=list, blank=True, validators=[texts_validate])

    class Meta:
        verbose_name_plural = "feedback"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(score__gte=-100, score__lte=100), name="usage_feedback_score"),
        )
        indexes = (models.Index(fields=("tenant_id", "request_id"), name="usage_feedback_request"),)

    def __str__(self) -> str:
        return f"{self.score} for {self.request_id}"
