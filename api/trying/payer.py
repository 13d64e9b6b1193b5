"""Who pays for what a person tries: a tenant that they could issue a key of as well."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from msgspec import Struct
from rest_framework.request import Request

from api.manage.access import PersonAuthentication
from api.manage.actors import Actor
from gateway.errors import Forbidden, InvalidRequest
from tenants.models import Tenant

_LISTED_AT_MOST = 20


class Payer(Struct, frozen=True):
    """A tenant, and how the ledger names who calls for it."""

    id: UUID
    by: str


class SignedIn(PersonAuthentication):
    """By the admin's session and its CSRF token, and by nothing else."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        """The person. Their body is read before Django looks for the token in it, as it would eat a form."""
        if request._request.user.is_active:
            _ = request._request.body
        return super().authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Session"


def payers(actor: Actor) -> QuerySet[Tenant]:
    """The tenants that the person may call for: calls cost, and so does what a key of theirs could do."""
    tenants = Tenant.objects.order_by("name")
    if actor.may("keys", "add", None):
        return tenants
    return tenants.filter(pk__in=[tenant for tenant in actor.within if actor.may("keys", "add", tenant)])


def payers_listed(actor: Actor) -> Sequence[str]:
    """The first of their names."""
    return list(payers(actor).values_list("name", flat=True)[:_LISTED_AT_MOST])


def payer_find(actor: Actor, name: str) -> Payer:
    """The tenant of that name; without one, the only one that it could be."""
    tenants = payers(actor)
    found = list((tenants.filter(name=name) if name else tenants)[:2])
    if not found:
        raise Forbidden(
            "You may not call for that tenant." if name else "There is no tenant that you may call for."
        )
    if len(found) > 1:
        raise InvalidRequest("Name the tenant that pays with ?tenant= or X-Tenant-ID.", param="tenant")
    tenant = found[0]
    roles = actor.everywhere | actor.within.get(tenant.pk, frozenset())
    role = "operator" if roles & {"operator", "delegate"} else min(roles)
    return Payer(tenant.pk, f"try ({role})")
