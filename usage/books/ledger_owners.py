"""Whose accounts an entry of the ledger counted on, as a tenant's configuration says it now."""

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q
from msgspec.structs import replace

from gateway.accounts import Account
from tenants.accounts import class_accounts, end_user_accounts, tenant_accounts
from tenants.models import ApiKey, Budget, EndUser, Limit, LimitClass, Project, Tenant


class Owners:
    """The accounts of one tenant, of its projects, its keys and its end users."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._keys = list(ApiKey.objects.filter(Q(tenant=tenant) | Q(tenant=None)))
        self._of_tenant = tenant_accounts(tenant=tenant, project=None, key=None)
        self._of_project = self._project_accounts()
        self._of_key = self._key_accounts()
        self._of_user = self._user_accounts()
        users = EndUser.objects.filter(tenant=tenant).exclude(limit_class=None)
        self._class_of_user = dict(users.values_list("id", "limit_class_id"))
        self._class_of_key = {key.id: key.per_user_class_id for key in self._keys if key.per_user_class_id}
        used = {*self._class_of_user.values(), *self._class_of_key.values()}
        self._of_class = {
            one.id: class_accounts(limit_class=one, zone=tenant.time_zone)
            for one in LimitClass.objects.filter(pk__in=used)
        }

    @property
    def accounts(self) -> Iterator[Account]:
        """All of them; those of a class as its template, of which every end user has a counter."""
        yield from self._of_tenant
        for owned in (self._of_project, self._of_key, self._of_user, self._of_class):
            for accounts in owned.values():
                yield from accounts

    def accounts_of(self, project: UUID | None, key: UUID | None, end_user: UUID | None) -> Iterator[Account]:
        """Those that a call of these counts on, as the engine would choose them."""
        yield from self._of_tenant
        if project is not None:
            yield from self._of_project.get(project, ())
        if key is not None:
            yield from self._of_key.get(key, ())
        if end_user is not None:
            yield from self._of_user.get(end_user) or self._by_class(end_user, key)

    def _by_class(self, end_user: UUID, key: UUID | None) -> Iterator[Account]:
        limit_class = self._class_of_user.get(end_user)
        own = self._of_class[limit_class] if limit_class is not None else ()
        of_key = self._class_of_key.get(key) if key is not None else None
        for account in own or (self._of_class[of_key] if of_key is not None else ()):
            yield replace(account, id=f"{account.id}:{end_user.hex}")

    def _project_accounts(self) -> dict[UUID, list[Account]]:
        projects = Project.objects.filter(tenant=self._tenant, pk__in=_bounded("project"))
        found = {
            project.id: tenant_accounts(tenant=self._tenant, project=project, key=None)
            for project in projects
        }
        return {
            identifier: [account for account in accounts if account.scope == "project"]
            for identifier, accounts in found.items()
        }

    def _key_accounts(self) -> dict[UUID, list[Account]]:
        """Keys of one lineage count together, whichever of them has the rows."""
        bounded = _bounded("key")
        of_lineage: dict[UUID, dict[str, Account]] = defaultdict(dict)
        for key in self._keys:
            if key.id in bounded:
                accounts = tenant_accounts(tenant=self._tenant, project=None, key=key)
                of_lineage[key.lineage] |= {one.id: one for one in accounts if one.scope == "key"}
        return {
            key.id: list(of_lineage[key.lineage].values()) for key in self._keys if key.lineage in of_lineage
        }

    def _user_accounts(self) -> dict[UUID, tuple[Account, ...]]:
        """Of those alone who have rows of their own: most have a class at most."""
        users = EndUser.objects.filter(tenant=self._tenant, pk__in=_bounded("end_user"))
        return {
            user.id: end_user_accounts(end_user=user, zone=self._tenant.time_zone)
            for user in users.select_related("limit_class")
        }


def _bounded(scope: str) -> set[UUID]:
    """Which projects, keys or end users have a limit or a budget."""
    rows = (
        model.objects.exclude(**{scope: None}).values_list(f"{scope}_id", flat=True)
        for model in (Limit, Budget)
    )
    return {identifier for found in rows for identifier in found}
