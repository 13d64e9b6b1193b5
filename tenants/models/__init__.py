"""The tables of the tenants app."""

from tenants.models.base import IdentifiedModel
from tenants.models.budget import Budget
from tenants.models.credit import Credit
from tenants.models.key import ApiKey
from tenants.models.limit import Limit, LimitClass
from tenants.models.people import EndUser, Member, Project
from tenants.models.policy import Policy
from tenants.models.revision import Revision
from tenants.models.tenant import Tenant

__all__ = (
    "ApiKey",
    "Budget",
    "Credit",
    "EndUser",
    "IdentifiedModel",
    "Limit",
    "LimitClass",
    "Member",
    "Policy",
    "Project",
    "Revision",
    "Tenant",
)
