"""Limits and budgets as the accounts that the books count."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from django.db.models import Q
from msgspec.structs import replace

from gateway.accounts import Account, Scope, Unit
from gateway.patterns import matches
from gateway.windows import Window
from tenants.models import ApiKey, Budget, EndUser, Limit, LimitClass, Project, Tenant


def tenant_accounts(*, tenant: Tenant, project: Project | None, key: ApiKey | None) -> tuple[Account, ...]:
    """The accounts of a tenant, its project and its key.

    Those of a key are named by its lineage: a rotated key goes on counting where its predecessor stood.
    """
    scopes = [_Scope("tenant", tenant.id, tenant.name, Q(tenant=tenant))]
    if project is not None:
        scopes.append(_Scope("project", project.id, project.name, Q(project=project)))
    if key is not None:
        scopes.append(_Scope("key", key.lineage, key.name, Q(key=key)))
    return tuple(account for scope in scopes for account in scope.accounts(tenant.time_zone))


def class_accounts(*, limit_class: LimitClass | None, zone: str) -> tuple[Account, ...]:
    """What each end user of a class may do; the engine gives everyone counters of their own."""
    if limit_class is None:
        return ()
    scope = _Scope("end_user", limit_class.id, limit_class.name, Q(limit_class=limit_class))
    return tuple(_limits(scope, zone))


def end_user_accounts(*, end_user: EndUser, zone: str) -> tuple[Account, ...]:
    """The accounts of one person: their own rows, and their class."""
    scope = _Scope("end_user", end_user.id, end_user.name, Q(end_user=end_user))
    by_class = class_accounts(limit_class=end_user.limit_class, zone=zone)
    return (
        *scope.accounts(zone),
        *(replace(account, id=f"{account.id}:{end_user.id.hex}") for account in by_class),
    )


def budget_accounts(
    *, tenant_id: UUID, project_id: UUID | None, key_id: UUID | None, end_user_id: UUID | None, model: str
) -> tuple[Account, ...]:
    """The budgets that a past call would be charged to now, as far as those whose it was are still there."""
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        return ()
    project = Project.objects.filter(pk__in=_given(project_id)).first()
    lineage = ApiKey.objects.filter(pk__in=_given(key_id)).values("lineage")
    keys: list[ApiKey | None] = [*ApiKey.objects.filter(lineage__in=lineage).order_by("created_at")]
    accounts = {
        one.id: one
        for key in keys or [None]
        for one in tenant_accounts(tenant=tenant, project=project, key=key)
    }
    end_user = EndUser.objects.select_related("limit_class").filter(pk__in=_given(end_user_id)).first()
    if end_user is not None:
        accounts |= {one.id: one for one in end_user_accounts(end_user=end_user, zone=tenant.time_zone)}
    return tuple(one for one in accounts.values() if one.unit == "nano" and matches(one.model or "*", model))


def renewable_accounts(*, tenant_id: UUID, user_name: str | None) -> tuple[Account, ...]:
    """What an operator may have begin anew: a user's limits, or those of a tenant, its projects and keys."""
    tenant = Tenant.objects.get(pk=tenant_id)
    if user_name is not None:
        return _user_accounts(tenant, user_name)
    projects = Project.objects.filter(tenant=tenant, limits__isnull=False).distinct()
    keys = ApiKey.objects.filter(tenant=tenant, limits__isnull=False).distinct()
    found = [tenant_accounts(tenant=tenant, project=None, key=None)]
    found += [tenant_accounts(tenant=tenant, project=project, key=None) for project in projects]
    found += [tenant_accounts(tenant=tenant, project=None, key=key) for key in keys]
    return tuple({account.id: account for accounts in found for account in accounts}.values())


def _user_accounts(tenant: Tenant, name: str) -> tuple[Account, ...]:
    """One person's, at whichever key of the tenant they were counted."""
    user = EndUser.objects.select_related("limit_class").filter(tenant=tenant, name=name).first()
    if user is None:
        return ()
    classes = LimitClass.objects.filter(keys__tenant=tenant).distinct()
    by_key = [
        replace(account, id=f"{account.id}:{user.id.hex}")
        for limit_class in classes
        for account in class_accounts(limit_class=limit_class, zone=tenant.time_zone)
    ]
    own = end_user_accounts(end_user=user, zone=tenant.time_zone)
    return tuple({account.id: account for account in (*own, *by_key)}.values())


class _Scope:
    """Whose rows, and under which name and id they count."""

    def __init__(self, scope: Scope, identifier: UUID, name: str, rows: Q) -> None:
        self.scope = scope
        self.id = identifier
        self.name = name
        self.rows = rows

    def accounts(self, zone: str) -> Iterable[Account]:
        yield from _limits(self, zone)
        for budget in Budget.objects.filter(self.rows):
            yield Account(
                id=self.account_id("nano", budget.window, budget.model, "hard" if budget.hard else "soft"),
                scope=self.scope,
                name=self.name,
                unit="nano",
                limit=budget.amount_nano,
                window=_window(budget.window),
                zone=zone,
                hard=budget.hard,
                model=budget.model,
            )

    def account_id(self, *parts: str) -> str:
        return ":".join((self.scope, self.id.hex, *filter(None, parts)))


def _limits(scope: _Scope, zone: str) -> Iterable[Account]:
    for limit in Limit.objects.filter(scope.rows):
        account = Account(
            id=scope.account_id(limit.unit, limit.window, limit.model),
            scope=scope.scope,
            name=scope.name,
            unit=cast(Unit, limit.unit),
            limit=limit.amount,
            window=_window(limit.window),
            zone=zone,
            cooldown_ms=limit.cooldown_seconds * 1000,
            model=limit.model,
        )
        yield account
        if limit.burst_calls and limit.burst_seconds:
            yield Account(
                id=f"{account.id}:burst",
                scope=scope.scope,
                name=scope.name,
                unit="requests",
                limit=limit.burst_calls,
                window="second",
                length_ms=limit.burst_seconds * 1000,
                cooldown_ms=account.cooldown_ms,
                model=limit.model,
            )


def _given(identifier: UUID | None) -> list[UUID]:
    return [] if identifier is None else [identifier]


def _window(window: str) -> Window:
    return cast(Window, window or "none")
