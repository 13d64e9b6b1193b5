"""Rows for tests, with the least that they need. Alice owns, Bob is of her team, Charlie is an outsider."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from gateway.ids import uuid7
from providers.models import Alias, Deployment, Model, PlatformDefault, Price, Provider, ProviderKey
from tenants.keys import key_issue
from tenants.models import ApiKey, Budget, EndUser, Limit, LimitClass, Member, Project, Tenant
from usage.models import Correction, LedgerEntry

PRICES_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def make_user(name: str = "alice", **fields: Any) -> User:
    """A person who can sign in with their own name as password."""
    return User.objects.create_user(name, f"{name}@example.org", name, **fields)


def make_tenant(name: str = "acme", **fields: Any) -> Tenant:
    """A tenant."""
    return Tenant.objects.create(name=name, **fields)


def make_project(tenant: Tenant, name: str = "search", **fields: Any) -> Project:
    """A project of the tenant."""
    return Project.objects.create(tenant=tenant, name=name, **fields)


def make_member(tenant: Tenant, user: User, role: str = "owner") -> Member:
    """The person's place in the tenant."""
    return Member.objects.create(tenant=tenant, user=user, role=role)


def make_end_user(tenant: Tenant, name: str = "charlie", **fields: Any) -> EndUser:
    """A person that the tenant's calls name."""
    return EndUser.objects.create(tenant=tenant, name=name, **fields)


def make_limit_class(name: str = "standard") -> LimitClass:
    """A class of limits without any."""
    return LimitClass.objects.create(name=name)


def make_default(kind: str, model: str) -> PlatformDefault:
    """The model of a kind of call that names none."""
    return PlatformDefault.objects.create(kind=kind, model=model)


def make_key(tenant: Tenant | None, name: str = "app", **fields: Any) -> tuple[ApiKey, str]:
    """A key and its secret; without a tenant, a platform key."""
    return key_issue(tenant=tenant, name=name, **fields)


def make_limit(amount: int = 60, unit: str = "requests", window: str = "minute", **scope: Any) -> Limit:
    """A limit of whatever the scope names."""
    return Limit.objects.create(amount=amount, unit=unit, window=window, **scope)


def make_budget(dollars: int = 100, window: str = "month", **scope: Any) -> Budget:
    """A budget of whatever the scope names."""
    return Budget.objects.create(amount_nano=dollars * 10**9, window=window, **scope)


def make_provider(name: str = "echo", wire: str = "echo", **fields: Any) -> Provider:
    """A provider; the built-in one unless told otherwise."""
    return Provider.objects.create(name=name, wire=wire, **fields)


def make_provider_key(provider: Provider, name: str = "main", **fields: Any) -> ProviderKey:
    """A provider's key, whose secret is in the environment."""
    return ProviderKey.objects.create(
        **{"provider": provider, "name": name, "secret": "env:OPENAI_API_KEY"} | fields
    )


def make_model(name: str = "gpt-4o-mini", **fields: Any) -> Model:
    """A model."""
    return Model.objects.create(name=name, **fields)


def make_deployment(model: Model, provider: Provider, **fields: Any) -> Deployment:
    """The model at the provider, under the same name."""
    return Deployment.objects.create(
        **{"model": model, "provider": provider, "upstream_model": model.name} | fields
    )


def make_alias(name: str, target: str) -> Alias:
    """A second name for a model."""
    return Alias.objects.create(name=name, target=target)


def make_price(
    meter: str = "input", pico_per_unit: int = 150_000, model: str = "gpt-4o-mini", **fields: Any
) -> Price:
    """A price that holds since the year began."""
    return Price.objects.create(
        **{"meter": meter, "pico_per_unit": pico_per_unit, "model": model, "valid_from": PRICES_BEGIN}
        | fields
    )


def make_entry(tenant: Tenant, id: UUID | None = None, **fields: Any) -> LedgerEntry:
    """A settled call of the tenant."""
    identity = {"id": id or uuid7(), "at": timezone.now(), "tenant_id": tenant.pk, "tenant": tenant.name}
    call = {"request_id": "req-1", "dialect": "openai", "kind": "chat", "status": "settled"}
    money = {"model": "gpt-4o-mini", "provider": "echo", "cost_nano": 1_000, "charge_nano": 1_100}
    return LedgerEntry.objects.create(**identity | call | money | fields)


def make_correction(entry: LedgerEntry, **fields: Any) -> Correction:
    """A refund of the entry's whole charge that was asked for; no rule is looked at."""
    whose = {"entry_id": entry.pk, "tenant_id": entry.tenant_id, "tenant": entry.tenant}
    asked = {"correcting_id": uuid7(), "kind": "refund", "reason": "cut answer"}
    return Correction.objects.create(**whose | asked | {"charge_nano": -entry.charge_nano} | fields)
