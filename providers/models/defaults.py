"""Models for calls that name none."""

from django.db import models

from tenants.models import IdentifiedModel


class PlatformDefault(IdentifiedModel):
    """The model of a kind of call that names none, where the tenant has no default of its own."""

    class Kind(models.TextChoices):
        """What the call wants."""

        CHAT = "chat"
        EMBEDDING = "embedding"

    kind = models.CharField(
        max_length=16, unique=True, choices=Kind.choices, help_text="The kind of call that it is for."
    )
    model = models.CharField(max_length=200, help_text="The model or alias that such a call gets.")

    class Meta:
        ordering = ("kind",)

    def __str__(self) -> str:
        return f"{self.kind}: {self.model}"
