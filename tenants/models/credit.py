"""Money paid in advance."""

from django.conf import settings
from django.db import models

from tenants.models.base import IdentifiedModel
from tenants.models.tenant import Tenant


class Credit(IdentifiedModel):
    """A payment of a tenant, or its reversal; rows are only ever added, which triggers enforce."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="credits", help_text="Who paid."
    )
    amount_nano = models.BigIntegerField(
        "amount in nano-dollars", help_text="A billion is one dollar; negative takes back an earlier credit."
    )
    note = models.CharField(max_length=200, help_text="What the payment was, such as an invoice number.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~models.Q(amount_nano=0), name="tenants_credit_amount"),
        )

    def __str__(self) -> str:
        return f"${self.amount_nano / 10**9:,.2f} for {self.tenant}"
