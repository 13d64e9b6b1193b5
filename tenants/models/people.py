"""Who and what stands inside a tenant: projects, members, end users."""

from django.conf import settings
from django.db import models

from tenants.models.base import IdentifiedModel
from tenants.models.tenant import Tenant


class Project(IdentifiedModel):
    """A part of a tenant whose spending is told apart."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="projects", help_text="Its owner."
    )
    name = models.CharField(
        max_length=64, help_text="Unique within the tenant; callers name it in X-Gateway-Project."
    )
    cost_centre = models.CharField(
        max_length=64, blank=True, help_text="Where finance books this project's spending, such as CC-42."
    )
    blocked = models.BooleanField(default=False, help_text="Refuse every call of this project at once.")

    class Meta:
        ordering = ("tenant", "name")
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="tenants_project_name"),)

    def __str__(self) -> str:
        return self.name


class Member(IdentifiedModel):
    """A person who may see and change a tenant in the admin."""

    class Role(models.TextChoices):
        """What a member may do."""

        OWNER = "owner"
        DEVELOPER = "developer"
        FINANCE = "finance"
        VIEWER = "viewer"

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="members", help_text="What the person may see."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
        help_text="The person.",
    )
    role = models.CharField(
        max_length=16,
        choices=Role.choices,
        default=Role.VIEWER,
        help_text="Owners change everything, developers keys and models, finance sees money, viewers look.",
    )

    class Meta:
        ordering = ("tenant", "user")
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="tenants_member_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


class EndUser(IdentifiedModel):
    """A tenant's own user; deleting the row forgets the person, not the charge."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="end_users", help_text="Whose user this is."
    )
    name = models.CharField(max_length=200, help_text="The `user` or `user_id` that calls carry.")
    limit_class = models.ForeignKey(
        "tenants.LimitClass",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="end_users",
        help_text="Limits for this person; empty takes those of the key that calls.",
    )
    blocked = models.BooleanField(default=False, help_text="Refuse every call made for this person.")

    class Meta:
        ordering = ("tenant", "name")
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="tenants_enduser_name"),)

    def __str__(self) -> str:
        return self.name
