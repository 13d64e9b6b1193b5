"""The price book."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from providers.models.provider import Provider
from providers.validators import model_name_validate


class Price(models.Model):
    """What one unit costs or sells for while it is valid; a row is closed and superseded, never edited."""

    class Side(models.TextChoices):
        """Whether the provider bills it or the tenant pays it."""

        COST = "cost", "what the provider bills"
        SELL = "sell", "what the tenant pays"

    class Meter(models.TextChoices):
        """What is counted; no unit is counted by two meters."""

        INPUT = "input"
        CACHE_READ = "cache_read"
        CACHE_WRITE_5M = "cache_write_5m", "cache write, 5 minutes"
        CACHE_WRITE_1H = "cache_write_1h", "cache write, 1 hour"
        OUTPUT = "output"
        REASONING = "reasoning"
        AUDIO_IN = "audio_in"
        AUDIO_OUT = "audio_out"
        IMAGE = "image"
        REQUEST = "request"
        SEARCH = "search"
        AUDIO_SECOND = "audio_second"
        IMAGE_IN = "image_in", "image in, by tokens"
        IMAGE_OUT = "image_out", "image out, by tokens"

    provider = models.ForeignKey(
        Provider,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="prices",
        help_text="Whose price it is; empty is any provider's.",
    )
    model = models.CharField(
        max_length=200,
        validators=[model_name_validate],
        help_text="The provider's name of the model; one star makes a pattern.",
    )
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="prices",
        help_text="For this tenant alone; empty is everyone's.",
    )
    side = models.CharField(
        max_length=4,
        choices=Side.choices,
        default=Side.COST,
        help_text="What the provider bills, or the tenant pays.",
    )
    meter = models.CharField(max_length=16, choices=Meter.choices, help_text="What is counted.")
    pico_per_unit = models.BigIntegerField(
        "picodollars per unit",
        validators=[MinValueValidator(0)],
        help_text="$1 per million tokens is 1,000,000 picodollars per token.",
    )
    context_above = models.PositiveIntegerField(
        null=True, blank=True, help_text="Only for prompts with more tokens than this."
    )
    service_tier = models.CharField(
        max_length=32,
        blank=True,
        help_text="Only for this class of service, such as batch, flex or priority.",
    )
    region = models.CharField(max_length=64, blank=True, help_text="Only for deployments in this region.")
    valid_from = models.DateTimeField(help_text="Calls from this moment on cost this.")
    valid_until = models.DateTimeField(
        null=True, blank=True, help_text="Calls from this moment on no longer cost this; it is set once."
    )
    source = models.TextField(blank=True, help_text="Where the figure comes from.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("model", "meter", "-valid_from", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(pico_per_unit__gte=0), name="providers_price_not_negative"),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="providers_price_validity",
            ),
        )
        indexes = (models.Index(fields=("model", "meter", "side"), name="providers_price_lookup"),)

    def __str__(self) -> str:
        return f"{self.model} {self.meter}: {self.pico_per_unit} p$"
