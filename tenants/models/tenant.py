"""The tenant: whose calls, whose money, whose data."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from tenants.models.base import IdentifiedModel
from tenants.validators import slug_validator, time_zone_validate


class Tenant(IdentifiedModel):
    """A customer or department whose calls, spending and data are kept apart from all others'."""

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[slug_validator],
        help_text="The short name that callers send as X-Tenant-ID.",
    )
    title = models.CharField(max_length=200, blank=True, help_text="The name people read.")
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[time_zone_validate],
        help_text="Days and months of limits, budgets and statements begin at midnight here.",
    )
    blocked = models.BooleanField(default=False, help_text="Refuse every call of this tenant at once.")
    markup_bps = models.IntegerField(
        "mark-up in basis points",
        default=0,
        validators=[MinValueValidator(-10_000), MaxValueValidator(100_000)],
        help_text="Added to the provider's cost; 1000 is ten percent more, -1000 ten percent less.",
    )
    default_chat_model = models.CharField(
        max_length=200,
        blank=True,
        help_text="Used when a chat call names no model; empty takes the platform's.",
    )
    default_embedding_model = models.CharField(
        max_length=200, blank=True, help_text="Used when an embedding call names no model."
    )
    made_on_first_use = models.BooleanField(
        default=False, editable=False, help_text="Made by a call that named it, not by a person."
    )

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(markup_bps__gte=-10_000, markup_bps__lte=100_000),
                name="tenants_tenant_markup",
            ),
        )

    def __str__(self) -> str:
        return self.name
