"""How much money."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from tenants.models.scope import ScopedModel, exactly_one
from tenants.validators import MONEY_CEILING, percents_validate

_SCOPES = ("tenant", "project", "key", "end_user")


def alert_percents_default() -> list[int]:
    """Warn before the end, and at it."""
    return [80, 100]


class Budget(ScopedModel):
    """At most so much money in a window."""

    class Window(models.TextChoices):
        """How long until the money is there anew."""

        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        TOTAL = "total", "for good"

    amount_nano = models.BigIntegerField(
        "amount in nano-dollars",
        validators=[MinValueValidator(1), MaxValueValidator(MONEY_CEILING)],
        help_text="A billion of them is one dollar.",
    )
    window = models.CharField(
        max_length=8, choices=Window.choices, default=Window.MONTH, help_text="In the tenant's time zone."
    )
    hard = models.BooleanField(default=True, help_text="Refuse calls that do not fit; otherwise only warn.")
    alert_percents = models.JSONField(
        default=alert_percents_default,
        blank=True,
        validators=[percents_validate],
        help_text="Warn when so many percent are spent, such as [80, 100].",
    )

    class Meta(ScopedModel.Meta):
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=exactly_one(*_SCOPES), name="tenants_budget_one_scope"),
            models.CheckConstraint(
                condition=Q(amount_nano__gt=0, amount_nano__lte=MONEY_CEILING), name="tenants_budget_amount"
            ),
            *(
                models.UniqueConstraint(
                    fields=(scope, "model", "window", "hard"), name=f"tenants_budget_by_{scope}"
                )
                for scope in _SCOPES
            ),
        )

    def __str__(self) -> str:
        return f"${self.amount_nano / 10**9:,.2f} per {self.window}"
