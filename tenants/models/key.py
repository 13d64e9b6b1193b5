"""Keys that open the doors."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import (
    CASCADE,
    PROTECT,
    RESTRICT,
    SET_NULL,
    BooleanField,
    CharField,
    CheckConstraint,
    DateTimeField,
    ForeignKey,
    JSONField,
    ManyToManyField,
    PositiveSmallIntegerField,
    Q,
    SmallIntegerField,
    UniqueConstraint,
    UUIDField,
)

from gateway.ids import uuid7
from tenants.models.base import IdentifiedModel
from tenants.models.tenant import Tenant
from tenants.roles import roles_problem
from tenants.validators import networks_validate, roles_validate, texts_validate

_LIVE = Q(blocked=False, grace_until=None)


class ApiKey(IdentifiedModel):
    """A key of a tenant, or of the platform; only its keyed hash is stored."""

    tenant = ForeignKey(
        Tenant,
        on_delete=CASCADE,
        null=True,
        blank=True,
        related_name="keys",
        help_text="Whose calls the key makes; empty makes it a platform key.",
    )
    project = ForeignKey(
        "tenants.Project",
        on_delete=RESTRICT,
        null=True,
        blank=True,
        related_name="keys",
        help_text="Where its spending is booked.",
    )
    name = CharField(max_length=100, help_text="Unique among the tenant's live keys.")
    digest = CharField(max_length=64, unique=True, editable=False)
    pepper = PositiveSmallIntegerField(
        editable=False, help_text="Number of the pepper that the digest was made with."
    )
    prefix = CharField(max_length=8, blank=True, editable=False)
    last_four = CharField(max_length=4, blank=True, editable=False)
    lineage = UUIDField(
        default=uuid7,
        editable=False,
        help_text="Shared by keys rotated one from another: limits and budgets count them as one.",
    )
    models = JSONField(
        default=list,
        blank=True,
        validators=[texts_validate],
        help_text='Models it may use, with patterns, such as ["gpt-4o-mini", "openai/*"]; empty allows all.',
    )
    networks = JSONField(
        default=list,
        blank=True,
        validators=[networks_validate],
        help_text='Networks it may come from, such as ["10.0.0.0/8"]; empty allows all.',
    )
    expires_at = DateTimeField(
        null=True, blank=True, help_text="Refused from this moment on; empty never expires."
    )
    blocked = BooleanField(default=False, help_text="Refuse the key at once; a revoked key is a blocked one.")
    grace_until = DateTimeField(
        null=True, blank=True, editable=False, help_text="Set when rotated: the old key is good until then."
    )
    rotated_from = ForeignKey(
        "self", on_delete=SET_NULL, null=True, blank=True, editable=False, related_name="rotated_to"
    )
    per_user_class = ForeignKey(
        "tenants.LimitClass",
        on_delete=PROTECT,
        null=True,
        blank=True,
        related_name="keys",
        help_text="Limits that each end user gets within this key.",
    )
    roles = JSONField(
        default=list,
        blank=True,
        validators=[roles_validate],
        help_text='Beside calls, such as ["owner"]: owner, developer, finance or viewer for its tenant; '
        "operator or finance for a platform key.",
    )
    priority = SmallIntegerField(
        default=0,
        validators=[MinValueValidator(-1_000), MaxValueValidator(1_000)],
        help_text="Of its tenant's waiting calls those with the higher number go first.",
    )
    all_tenants = BooleanField(default=False, help_text="For platform keys: may act for every tenant.")
    granted_tenants = ManyToManyField(
        Tenant,
        blank=True,
        related_name="granted_keys",
        help_text="For platform keys: tenants it may act for.",
    )
    last_used_at = DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ("tenant", "name", "-id")
        constraints = (
            UniqueConstraint(fields=("tenant", "name"), condition=_LIVE, name="tenants_apikey_live_name"),
            UniqueConstraint(
                fields=("name",), condition=_LIVE & Q(tenant=None), name="tenants_apikey_live_platform_name"
            ),
            CheckConstraint(
                condition=Q(tenant=None) | Q(all_tenants=False), name="tenants_apikey_platform_reach"
            ),
            CheckConstraint(
                condition=Q(project=None) | Q(tenant__isnull=False), name="tenants_apikey_project_tenant"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…{self.last_four})"

    def clean(self) -> None:
        """A key stays inside its tenant, with the roles that there are for such a key."""
        if self.project and self.project.tenant_id != self.tenant_id:
            raise ValidationError({"project": "The project belongs to another tenant."})
        if self.tenant_id and self.all_tenants:
            raise ValidationError({"tenant": "Access to all tenants is for platform keys."})
        problem = roles_problem(self.roles, of_tenant=self.tenant_id is not None)
        if problem:
            raise ValidationError({"roles": problem})
