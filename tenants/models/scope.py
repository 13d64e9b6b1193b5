"""What a limit or a budget hangs on: exactly one of a few owners."""

from django.db import models
from django.db.models import Q

from tenants.models.base import IdentifiedModel


class ScopedModel(IdentifiedModel):
    """A row that bounds one tenant, project, key or end user, for all models or one."""

    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text="Bounds all calls of a tenant.",
    )
    project = models.ForeignKey(
        "tenants.Project",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text="Bounds all calls of a project.",
    )
    key = models.ForeignKey(
        "tenants.ApiKey",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text="Bounds all calls of a key.",
    )
    end_user = models.ForeignKey(
        "tenants.EndUser",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text="Bounds one end user's calls.",
    )
    model = models.CharField(
        max_length=200, blank=True, help_text="Only calls of this model; empty counts all."
    )

    class Meta:
        abstract = True
        default_related_name = "%(class)ss"


def exactly_one(*fields: str) -> Q:
    """The condition that one of the fields is set and all others are null."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition
