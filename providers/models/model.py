"""Models that callers name, and where each one runs."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from providers.models.provider import Provider
from providers.validators import model_name_validate
from tenants.models import IdentifiedModel
from tenants.validators import texts_validate


class Model(IdentifiedModel):
    """A name that callers use, or a pattern of names."""

    class Kind(models.TextChoices):
        """What it makes."""

        CHAT = "chat"
        EMBEDDING = "embedding"
        IMAGE = "image"
        AUDIO = "audio"
        RERANK = "rerank"
        MODERATION = "moderation"

    class Vocabulary(models.TextChoices):
        """The tokenizer by which its tokens can be counted here."""

        O200K = "o200k_base"
        CL100K = "cl100k_base"

    class Strategy(models.TextChoices):
        """How a deployment is chosen among those of equal priority."""

        WEIGHTED = "weighted"
        PRIORITY = "priority"
        LEAST_BUSY = "least_busy"
        LATENCY = "latency"
        PRICE = "price"
        QUALITY = "quality"
        AFFINITY = "affinity", "same prefix, same deployment"
        SENSITIVITY = "sensitivity", "most secure first"

    class Sticky(models.TextChoices):
        """What keeps to one deployment as long as that one is well."""

        CONVERSATION = "conversation"
        END_USER = "end_user"
        KEY = "key"

    name = models.CharField(
        max_length=200,
        unique=True,
        validators=[model_name_validate],
        help_text="What callers write, such as gpt-4o-mini; one star makes a pattern, such as openai/*.",
    )
    kind = models.CharField(
        max_length=16, choices=Kind.choices, default=Kind.CHAT, help_text="What it makes."
    )
    context_window = models.PositiveIntegerField(
        null=True, blank=True, help_text="Tokens that prompt and answer may have together."
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Longest answer; the worst case that a budget is held for."
    )
    vocabulary = models.CharField(
        max_length=16, choices=Vocabulary.choices, blank=True, help_text="Empty estimates tokens by bytes."
    )
    capabilities = models.JSONField(
        default=list,
        blank=True,
        validators=[texts_validate],
        help_text='Shown to callers, such as ["vision", "tools"].',
    )
    strategy = models.CharField(
        max_length=16,
        choices=Strategy.choices,
        default=Strategy.WEIGHTED,
        help_text="How to choose among its deployments.",
    )
    sticky = models.CharField(
        max_length=16,
        choices=Sticky.choices,
        blank=True,
        help_text="What keeps to the deployment that served it, so that the provider's own cache is of use.",
    )
    hedge = models.BooleanField(
        default=False,
        help_text="Ask a second deployment too when the first is unusually slow; both may bill.",
    )
    batch_size = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(2_048)],
        help_text="Most embeddings of one tenant that travel in one call; 1 sends each by itself.",
    )
    batch_ms = models.PositiveSmallIntegerField(
        "batch wait in milliseconds",
        default=5,
        validators=[MaxValueValidator(1_000)],
        help_text="How long the first embedding of a batch waits for others.",
    )
    connect_timeout_ms = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Longest wait for a connection; empty is the provider's.",
    )
    first_byte_timeout_ms = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Longest wait for the answer to begin; empty is the provider's.",
    )
    idle_timeout_ms = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Longest silence within an answer; empty is the provider's.",
    )
    total_timeout_ms = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Longest time for a whole answer; empty is the provider's.",
    )
    blocked = models.BooleanField(default=False, help_text="Refuse every call of this model at once.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Deployment(IdentifiedModel):
    """A model at a provider."""

    model = models.ForeignKey(
        Model, on_delete=models.CASCADE, related_name="deployments", help_text="The name that callers use."
    )
    provider = models.ForeignKey(
        Provider, on_delete=models.CASCADE, related_name="deployments", help_text="Where it runs."
    )
    upstream_model = models.CharField(
        max_length=200,
        validators=[model_name_validate],
        help_text="The provider's own name for it; a star stands for what the model's star matched.",
    )
    weight = models.PositiveIntegerField(
        default=1, help_text="Its share of the calls, against its peers' weights."
    )
    priority = models.IntegerField(default=0, help_text="Lower numbers are tried first.")
    region = models.CharField(
        max_length=64, blank=True, help_text="Where it runs, for prices that differ by region."
    )
    max_parallel = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most calls at once; empty sets no limit."
    )
    quality = models.PositiveSmallIntegerField(
        "quality in basis points",
        null=True,
        blank=True,
        validators=[MaxValueValidator(10_000)],
        help_text="How good its answers are, for models that choose by quality; 9000 is 0.9.",
    )
    blocked = models.BooleanField(default=False, help_text="Send it no more calls, at once.")
    held_open = models.BooleanField(
        "breaker held open",
        default=False,
        help_text="Keep its breaker open: calls go to its peers until this is taken back.",
    )
    breaker_closed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When an operator last closed its breaker: failures before this moment are forgotten.",
    )

    class Meta:
        ordering = ("model", "priority", "created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("model", "provider", "upstream_model", "region"), name="providers_deployment_once"
            ),
            models.CheckConstraint(
                condition=models.Q(quality=None) | models.Q(quality__lte=10_000),
                name="providers_deployment_quality",
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}/{self.upstream_model}"


class Alias(IdentifiedModel):
    """A second name for a model."""

    name = models.CharField(max_length=200, unique=True, help_text="What callers write, such as small.")
    target = models.CharField(max_length=200, help_text="The model or alias that it stands for.")

    class Meta:
        verbose_name_plural = "aliases"
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name} → {self.target}"


class Route(IdentifiedModel):
    """Where a model's call goes next when it failed for a cause."""

    class Cause(models.TextChoices):
        """Why the model could not answer."""

        ANY = "any"
        ERROR = "error"
        CONTEXT_LENGTH = "context_length", "prompt too long"
        CONTENT_POLICY = "content_policy", "refused by content policy"
        BUDGET = "budget", "does not fit the budget"

    model = models.ForeignKey(
        Model, on_delete=models.CASCADE, related_name="routes", help_text="The model that failed."
    )
    cause = models.CharField(
        max_length=16, choices=Cause.choices, default=Cause.ANY, help_text="Why it failed."
    )
    target = models.CharField(max_length=200, help_text="The model or alias that is tried instead.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower numbers are tried first.")

    class Meta:
        ordering = ("model", "cause", "position")
        constraints = (
            models.UniqueConstraint(fields=("model", "cause", "position"), name="providers_route_position"),
        )

    def __str__(self) -> str:
        return f"{self.model} → {self.target}"
