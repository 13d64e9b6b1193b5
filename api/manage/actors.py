"""Who manages: a person who is signed in, or a platform key; each with their roles, tenant by tenant."""

from collections.abc import Callable, Mapping
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from msgspec import Struct

from api.manage.roles import roles_may
from gateway.errors import Forbidden
from providers.models import Alias, Deployment, PlatformDefault, Price, Provider, ProviderKey
from providers.models import Model as ProviderModel
from tenants.models import ApiKey, Budget, EndUser, Limit, LimitClass, Member, Policy, Project, Tenant
from usage.models import LedgerEntry

_TABLES: Mapping[str, type[Model]] = {
    "tenants": Tenant,
    "policies": Policy,
    "projects": Project,
    "keys": ApiKey,
    "limits": Limit,
    "budgets": Budget,
    "limit-classes": LimitClass,
    "end-users": EndUser,
    "providers": Provider,
    "provider-keys": ProviderKey,
    "models": ProviderModel,
    "deployments": Deployment,
    "aliases": Alias,
    "defaults": PlatformDefault,
    "prices": Price,
    "entries": LedgerEntry,
}
_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "read": ("view", "change"),
    "add": ("add",),
    "change": ("change",),
    "delete": ("delete",),
    "rotate": ("change",),
    "revoke": ("change",),
    "end": ("add",),
    "breaker": ("change",),
}
"""Which of Django's permissions let a person do it, one of them being enough; the same as in the admin."""

Roles = frozenset[str]
_NO_ROLES: Roles = frozenset()


class Actor(Struct, frozen=True, kw_only=True):
    """Roles over the whole platform, and within tenants."""

    everywhere: Roles = _NO_ROLES
    within: Mapping[UUID, Roles] = {}
    permits: Callable[[str, str], bool]
    """What else has to allow a noun's action, whatever the roles say."""

    def roles_in(self, tenant: UUID | None) -> Roles:
        """The roles that count within a tenant, or for rows of the platform."""
        within = self.within.get(tenant, _NO_ROLES) if tenant is not None else _NO_ROLES
        return self.everywhere | within

    def may(self, noun: str, action: str, tenant: UUID | None) -> bool:
        """Whether a row of this tenant may be treated so; a row without one is the platform's."""
        return roles_may(self.roles_in(tenant), noun, action) and self.permits(noun, action)

    def may_somewhere(self, noun: str, action: str) -> bool:
        """Whether there could be a row that may be treated so."""
        roles = self.everywhere.union(*self.within.values())
        return roles_may(roles, noun, action) and self.permits(noun, action)

    def reach(self, noun: str) -> frozenset[UUID] | None:
        """The tenants whose rows may be seen; None where all rows may be."""
        if roles_may(self.everywhere, noun, "read"):
            return None
        return frozenset(tenant for tenant, roles in self.within.items() if roles_may(roles, noun, "read"))

    def runs(self, tenant: UUID | None) -> bool:
        """Whether this is an operator, at least of this tenant."""
        return bool(self.roles_in(tenant) & {"operator", "delegate"})


def person_actor(*, user: User, tenant_name: str) -> Actor:
    """The person as the admin knows them: an operator, or a member with Django's permissions."""
    if not user.is_staff:
        raise Forbidden("This account may not sign in to the management of the gateway.")
    if user.is_superuser:
        return _platform_actor(Tenant.objects.all(), True, frozenset({"operator"}), tenant_name)
    members = Member.objects.filter(user=user).values_list("tenant_id", "tenant__name", "role")
    within = {tenant: frozenset({role}) for tenant, name, role in members if tenant_name in ("", name)}
    if tenant_name and not within:
        raise Forbidden("You may not act for that tenant.")
    return Actor(within=within, permits=_permissions(user))


def key_actor(*, key: ApiKey, tenant_name: str) -> Actor:
    """The holder of a platform key; a tenant's key manages nothing here, whatever its roles."""
    if key.tenant_id is not None or not key.roles:
        raise Forbidden("This key makes calls: to manage, sign in, or send a platform key with a role.")
    tenants = Tenant.objects.all() if key.all_tenants else key.granted_tenants.all()
    return _platform_actor(tenants, key.all_tenants, frozenset(key.roles), tenant_name)


def _platform_actor(tenants: QuerySet[Tenant], all_tenants: bool, roles: Roles, tenant_name: str) -> Actor:
    if all_tenants and not tenant_name:
        return Actor(everywhere=roles, permits=_all)
    some = frozenset("delegate" if role == "operator" else role for role in roles)
    if tenant_name:
        tenants = tenants.filter(name=tenant_name)
    within = {tenant: some for tenant in tenants.values_list("pk", flat=True)}
    if tenant_name and not within:
        raise Forbidden("You may not act for that tenant.")
    return Actor(within=within, permits=_all)


def _all(noun: str, action: str) -> bool:
    return True


def _permissions(user: User) -> Callable[[str, str], bool]:
    def permits(noun: str, action: str) -> bool:
        table = _TABLES[noun]._meta
        wanted = (f"{table.app_label}.{verb}_{table.model_name}" for verb in _PERMISSIONS[action])
        return any(user.has_perm(permission) for permission in wanted)

    return permits
