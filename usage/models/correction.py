"""Why an entry was mended, and by what."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Correction(models.Model):
    """The reason that joins a wrong entry and the entry that mends it.

    The row is there first: whoever has the books open writes the mending entry from it, and then says
    when. Rows are only ever added, and nothing but that moment is filled in later, once; triggers see to it.
    """

    class Kind(models.TextChoices):
        """What the mending entry does."""

        CORRECTION = "correction"
        CREDIT = "credit"
        REFUND = "refund"

    entry_id = models.UUIDField("entry", db_index=True, help_text="The entry that was wrong.")
    correcting_id = models.UUIDField(
        "mended by",
        unique=True,
        error_messages={"unique": "This mending was asked for already."},
        help_text="The entry that mends it.",
    )
    tenant_id = models.UUIDField(db_index=True)
    tenant = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Kind.choices, help_text="What the mending entry does.")
    cost_nano = models.BigIntegerField(default=0)
    charge_nano = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=500, help_text="What was wrong, for whoever reads the ledger later.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the books had the mending entry."
    )

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("id",), condition=Q(applied_at=None), name="usage_correction_pending"),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.entry_id}"
