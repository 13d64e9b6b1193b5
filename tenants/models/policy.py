"""How a tenant's calls are treated."""

from django.core.validators import MaxValueValidator
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
    queue_seconds = models.PositiveIntegerField(
        default=0, help_text="How long a call may wait for a free place before it is refused."
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
        )

    def __str__(self) -> str:
        return f"policy of {self.tenant}"
