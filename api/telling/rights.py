"""Who may do something about a tenant with a key, beside calling for it."""

from gateway.errors import Forbidden
from gateway.principal import Principal

_RUN_A_TENANT = frozenset({"operator", "owner"})
"""Operators hold keys of the platform and name the tenant; an owner's key is of the tenant itself."""


def owner_check(principal: Principal) -> None:
    """Refuse all but who runs the tenant that the call is for."""
    if _RUN_A_TENANT.isdisjoint(principal.roles):
        raise Forbidden(
            "This takes an owner's key of the tenant, or a platform key with the role of an operator."
        )
