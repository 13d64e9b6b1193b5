"""Hosts that run models, and the keys that open them."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from providers.validators import base_url_validate, headers_validate, secret_reference_validate
from tenants.models import IdentifiedModel
from tenants.validators import slug_validator


class Provider(IdentifiedModel):
    """One host that speaks one wire format."""

    class Wire(models.TextChoices):
        """The format its requests and answers have."""

        OPENAI = "openai", "OpenAI"
        ANTHROPIC = "anthropic", "Anthropic"
        LITELLM = "litellm", "translated by LiteLLM"
        ECHO = "echo", "built-in echo"

    class Kind(models.TextChoices):
        """Where it stands."""

        LOCAL = "local"
        CLOUD = "cloud"

    class SecurityLevel(models.TextChoices):
        """How far it is trusted with sensitive prompts."""

        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"

    name = models.CharField(
        max_length=64, unique=True, validators=[slug_validator], help_text="The short name used everywhere."
    )
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="providers",
        help_text="Serves this tenant alone; empty serves all.",
    )
    wire = models.CharField(
        max_length=16,
        choices=Wire.choices,
        default=Wire.OPENAI,
        help_text="Most hosts speak OpenAI's format; the translated ones are slower.",
    )
    base_url = models.CharField(
        "base URL",
        max_length=500,
        blank=True,
        validators=[base_url_validate],
        help_text="Where its API begins, such as https://api.openai.com/v1.",
    )
    kind = models.CharField(
        max_length=8,
        choices=Kind.choices,
        blank=True,
        help_text="Empty tells it by the address: private is local.",
    )
    security_level = models.CharField(
        max_length=8,
        choices=SecurityLevel.choices,
        default=SecurityLevel.MEDIUM,
        help_text="Sensitive prompts go to providers of high security only.",
    )
    default_model = models.CharField(
        max_length=200, blank=True, help_text="Used when a call names this provider and no model."
    )
    connect_timeout_ms = models.PositiveIntegerField(
        default=5_000, validators=[MinValueValidator(1)], help_text="Longest wait for a connection."
    )
    first_byte_timeout_ms = models.PositiveIntegerField(
        default=60_000, validators=[MinValueValidator(1)], help_text="Longest wait for the answer to begin."
    )
    idle_timeout_ms = models.PositiveIntegerField(
        default=60_000, validators=[MinValueValidator(1)], help_text="Longest silence within an answer."
    )
    total_timeout_ms = models.PositiveIntegerField(
        default=600_000, validators=[MinValueValidator(1)], help_text="Longest time for a whole answer."
    )
    headers = models.JSONField(
        default=dict,
        blank=True,
        validators=[headers_validate],
        help_text='Sent with every request, such as {"OpenAI-Organization": "org-1"}; never secrets.',
    )
    blocked = models.BooleanField(default=False, help_text="Send it no more calls, at once.")
    includes_usage = models.BooleanField(
        default=True,
        help_text="Understands stream_options.include_usage, so that streams report their tokens.",
    )
    has_responses = models.BooleanField(
        default=False,
        help_text="Answers /responses itself; for others such calls are made as chats.",
    )
    bills_to_end = models.BooleanField(
        default=False,
        help_text="Bills a stream to its end even if the caller left: read on to learn the cost.",
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Only the built-in provider has no address; a translated one may leave it to LiteLLM."""
        if not self.base_url and self.wire not in {self.Wire.ECHO, self.Wire.LITELLM}:
            raise ValidationError({"base_url": "This wire format needs an address."})


class ProviderKey(IdentifiedModel):
    """A credential for a provider, with the limits the provider puts on it."""

    provider = models.ForeignKey(
        Provider, on_delete=models.CASCADE, related_name="keys", help_text="What the key opens."
    )
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="provider_keys",
        help_text="Brought by this tenant and used for it alone; empty serves all.",
    )
    name = models.CharField(max_length=64, help_text="Unique within the provider.")
    secret = models.TextField(
        validators=[secret_reference_validate],
        help_text="env:NAME or file:PATH; a secret itself is stored encrypted and never shown again.",
    )
    last_four = models.CharField(max_length=4, blank=True, editable=False)
    rpm = models.PositiveIntegerField(
        "requests per minute",
        null=True,
        blank=True,
        help_text="The provider's limit, shared fairly among tenants.",
    )
    tpm = models.PositiveIntegerField(
        "tokens per minute",
        null=True,
        blank=True,
        help_text="The provider's limit, shared fairly among tenants.",
    )
    parallel = models.PositiveIntegerField(
        "calls at once", null=True, blank=True, help_text="The provider's limit, shared fairly among tenants."
    )
    blocked = models.BooleanField(default=False, help_text="Use it no more, at once.")

    class Meta:
        ordering = ("provider", "name")
        constraints = (
            models.UniqueConstraint(fields=("provider", "name"), name="providers_providerkey_name"),
        )

    def __str__(self) -> str:
        return f"{self.provider}: {self.name}"
