"""How a tenant's calls are treated."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from tenants.models.base import IdentifiedModel
from tenants.models.tenant import Tenant
from tenants.validators import texts_validate


class Policy(IdentifiedModel):
    """A tenant's choices; a tenant without a row has the defaults of an unsaved one."""

    class Cache(models.TextChoices):
        """Which answers may be reused."""

        OFF = "off"
        DETERMINISTIC = "deterministic"
        ALL = "all"

    class PromptCache(models.TextChoices):
        """Whether providers are asked to keep what prompts begin with."""

        OFF = "off"
        AUTO = "auto", "ask where the provider needs to be asked"

    class OverBudget(models.TextChoices):
        """What happens to a call whose worst case does not fit the budget."""

        REFUSE = "refuse"
        CLAMP = "clamp", "shorten the answer"

    class BooksAway(models.TextChoices):
        """What happens to calls while the books cannot be reached."""

        REFUSE = "refuse"
        ALLOW = "allow"

    class SensitivityAction(models.TextChoices):
        """What happens to a prompt that is too sensitive."""

        ROUTE = "route", "route to a secure provider"
        REDACT = "redact"
        BLOCK = "block"
        NOTE = "note", "only note it"

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="policy", help_text="Whose calls are treated so."
    )
    cache = models.CharField(
        max_length=16,
        choices=Cache.choices,
        default=Cache.DETERMINISTIC,
        help_text="Deterministic reuses only answers that would come out the same anyway.",
    )
    cache_seconds = models.PositiveIntegerField(
        default=3_600,
        validators=[MinValueValidator(1)],
        help_text="How long an answer may be given again.",
    )
    semantic_model = models.CharField(
        max_length=200,
        blank=True,
        help_text="Embedding model that finds prompts of the same meaning; empty finds the same bytes alone.",
    )
    semantic_threshold = models.PositiveSmallIntegerField(
        default=9_500,
        validators=[MaxValueValidator(10_000)],
        help_text="Likeness in basis points from which prompts mean the same; 9500 is a cosine of 0.95.",
    )
    prompt_cache = models.CharField(
        max_length=8,
        choices=PromptCache.choices,
        default=PromptCache.OFF,
        help_text="Whether providers are asked to keep what prompts begin with; some bill for that.",
    )
    queue_seconds = models.PositiveIntegerField(
        default=0, help_text="How long a call may wait for a free place before it is refused."
    )
    queue_length = models.PositiveIntegerField(
        default=100, help_text="Most calls of the tenant that wait at once; the next one is refused."
    )
    over_budget = models.CharField(
        max_length=8,
        choices=OverBudget.choices,
        default=OverBudget.REFUSE,
        help_text="For calls whose worst case does not fit the budget.",
    )
    books_away = models.CharField(
        max_length=8,
        choices=BooksAway.choices,
        default=BooksAway.REFUSE,
        help_text="Whether calls go on, uncounted at first, while the books cannot be reached.",
    )
    sensitivity_action = models.CharField(
        max_length=8,
        choices=SensitivityAction.choices,
        default=SensitivityAction.ROUTE,
        help_text="For prompts at or above the threshold.",
    )
    sensitivity_threshold = models.PositiveSmallIntegerField(
        default=7000,
        validators=[MaxValueValidator(10_000)],
        help_text="Score in basis points from which a prompt is sensitive; 7000 is 0.7.",
    )
    log_content = models.BooleanField(
        default=False,
        help_text="Keep prompts and answers, redacted and encrypted, for as long as retention says.",
    )
    tags = models.JSONField(
        default=list,
        blank=True,
        validators=[texts_validate],
        help_text='Tag names that calls may carry, such as ["team"]; empty allows all.',
    )

    class Meta:
        verbose_name_plural = "policies"
        ordering = ("tenant",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(sensitivity_threshold__lte=10_000), name="tenants_policy_threshold"
            ),
            models.CheckConstraint(
                condition=models.Q(semantic_threshold__lte=10_000), name="tenants_policy_semantic_threshold"
            ),
        )

    def __str__(self) -> str:
        return f"policy of {self.tenant}"
