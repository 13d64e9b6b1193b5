"""How often, how much and how many at once."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from tenants.models.base import IdentifiedModel
from tenants.models.scope import ScopedModel, exactly_one

_SCOPES = ("tenant", "project", "key", "end_user", "limit_class")
_NO_BURST = Q(burst_calls=None, burst_seconds=None)
# A check that comes out null lets the row in, so each half is asked for by name.
_WHOLE_BURST = Q(
    burst_calls__isnull=False, burst_seconds__isnull=False, burst_calls__gte=1, burst_seconds__gte=1
)


class LimitClass(IdentifiedModel):
    """A named set of limits, given to end users."""

    name = models.CharField(max_length=64, unique=True, help_text="Such as standard or premium_user.")

    class Meta:
        verbose_name_plural = "limit classes"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Limit(ScopedModel):
    """At most so many requests or tokens in a window, or so many calls at once."""

    class Unit(models.TextChoices):
        """What is counted."""

        REQUESTS = "requests"
        TOKENS = "tokens"
        CONCURRENCY = "concurrency", "calls at once"

    class Window(models.TextChoices):
        """How long until the count begins anew."""

        MINUTE = "minute"
        HOUR = "hour"
        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        TOTAL = "total", "for good"

    limit_class = models.ForeignKey(
        LimitClass,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text="Bounds each end user of the class.",
    )
    unit = models.CharField(max_length=16, choices=Unit.choices, help_text="What is counted.")
    window = models.CharField(
        max_length=8, choices=Window.choices, blank=True, help_text="Empty for calls at once, else required."
    )
    amount = models.PositiveBigIntegerField(help_text="The most that is let through; zero refuses all.")
    burst_calls = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="At most so many within the burst seconds.",
    )
    burst_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Length of the second, shorter window.",
    )
    cooldown_seconds = models.PositiveIntegerField(
        default=0, help_text="After a refusal, refuse for so long even if the window ends."
    )
    note = models.CharField(max_length=200, blank=True, help_text="Why this limit is there.")

    class Meta(ScopedModel.Meta):
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=exactly_one(*_SCOPES), name="tenants_limit_one_scope"),
            models.CheckConstraint(
                condition=(Q(unit="concurrency", window="") | (~Q(unit="concurrency") & ~Q(window=""))),
                name="tenants_limit_window",
            ),
            models.CheckConstraint(
                condition=_NO_BURST | _WHOLE_BURST,
                name="tenants_limit_burst",
            ),
            *(
                models.UniqueConstraint(
                    fields=(scope, "model", "unit", "window"), name=f"tenants_limit_by_{scope}"
                )
                for scope in _SCOPES
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}" + (f" per {self.window}" if self.window else "")
