"""Why an entry was mended."""

from django.conf import settings
from django.db import models


class Correction(models.Model):
    """The reason that joins a wrong entry and the entry that mends it; rows are only ever added."""

    class Kind(models.TextChoices):
        """What the mending entry does."""

        CORRECTION = "correction"
        CREDIT = "credit"
        REFUND = "refund"

    entry_id = models.UUIDField(db_index=True, help_text="The entry that was wrong.")
    correcting_id = models.UUIDField(unique=True, help_text="The entry that mends it.")
    kind = models.CharField(max_length=16, choices=Kind.choices, help_text="What the mending entry does.")
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

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.kind} of {self.entry_id}"
