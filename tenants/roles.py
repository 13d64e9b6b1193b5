"""Roles that keys may have, and who may give them."""

from collections.abc import Iterable

PLATFORM_ROLES = ("operator", "finance")
"""Of a platform key: for the tenants that it acts for."""

TENANT_ROLES = ("owner", "developer", "finance", "viewer")
"""Of a tenant's key, as of its members: for its tenant."""


def roles_problem(roles: object, *, of_tenant: bool) -> str:
    """Which roles are for other keys than one of a tenant, or of the platform; empty if none are."""
    known, foreign = (TENANT_ROLES, PLATFORM_ROLES) if of_tenant else (PLATFORM_ROLES, TENANT_ROLES)
    strangers = [role for role in foreign if role not in known and isinstance(roles, list) and role in roles]
    if not strangers:
        return ""
    owner, others = (
        ("A tenant's key", "platform keys") if of_tenant else ("A platform key", "keys of a tenant")
    )
    return f"{owner} may be {' or '.join(known)}; {' and '.join(strangers)} is for {others}."


def roles_givable(roles: Iterable[str], *, by: Iterable[str]) -> bool:
    """Whether a member with some roles may hold a key with these: owners give all, others what they have."""
    own = frozenset(by)
    return "owner" in own or own.issuperset(roles)
