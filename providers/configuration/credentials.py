"""Applies the keys of tenants and of the platform.

A key is found by its name: the live one, else the one blocked last, so that a revoked key is not opened or
issued anew by running the same file again. Another secret under the name of a live key takes its place.
"""

from collections.abc import Iterable
from hmac import compare_digest
from typing import Any

from django.core.exceptions import ValidationError
from msgspec import UNSET, Struct, UnsetType

from providers.configuration import schema
from providers.configuration.bounds import Owner, bounds_apply
from providers.configuration.plan import Action, Issued, Plan
from providers.configuration.rows import named_values, problems_note, row_apply
from tenants.keys import key_issue, key_revoke, key_rotate
from tenants.models import ApiKey, LimitClass, Project, Tenant
from tenants.secrets import SecretUnreadable, hash_digest, key_hash, peppers, secret_resolve

PLATFORM = "platform"
_WORDS = {"per_user_class": "per_user.class", "expires_at": "expires", "all_tenants": "tenants"}
_REFERENCES = ("env:", "file:")


class Told(Struct, frozen=True):
    """What a file tells of a key's secret: itself, its SHA-256, or nothing."""

    secret: str | None = None
    sha256: bytes | None = None

    def __repr__(self) -> str:
        return "Told()"

    @property
    def is_nothing(self) -> bool:
        """Whether a secret is to be made up."""
        return self.secret is None and self.sha256 is None


def keys_apply(
    plan: Plan, tenant: Tenant | None, keys: Iterable[schema.Key | schema.PlatformKey], path: str
) -> None:
    """Issue and change keys, of the platform without a tenant; those left out are pruned or kept."""
    owner = tenant.name if tenant else PLATFORM
    rows = keys_current(tenant)
    for index, wanted in enumerate(keys):
        place = f"{path}[{index}]"
        try:
            told = _told(wanted)
        except SecretUnreadable as error:
            plan.problem(f"{place}.secret", error.message)
            continue
        key = _key_apply(plan, tenant, rows.pop(wanted.name, None), wanted, told, place)
        if key is not None:
            bounds_apply(plan, Owner("key", key, f"key {owner}/{wanted.name}"), wanted, place)
    for key in rows.values():
        _left_out(plan, key, f"key {owner}/{key.name}")


def keys_current(tenant: Tenant | None) -> dict[str, ApiKey]:
    """Keys by name: the live one, else the one blocked last; rotated ones are past."""
    keys = ApiKey.objects.filter(tenant=tenant, grace_until=None).order_by("-blocked", "id")
    return {key.name: key for key in keys.select_related("project", "per_user_class")}


def _key_apply(
    plan: Plan,
    tenant: Tenant | None,
    key: ApiKey | None,
    wanted: schema.Key | schema.PlatformKey,
    told: Told,
    path: str,
) -> ApiKey | None:
    owner = tenant.name if tenant else PLATFORM
    thing = f"key {owner}/{wanted.name}"
    same = key is not None and (told.is_nothing or _opens(key, told))
    try:
        if key is None or (key.blocked and not same):
            return _issue(plan, tenant, wanted, told, path)
        if not same:
            key, _ = key_rotate(key=key, grace_seconds=0, secret=told.secret, sha256=told.sha256)
            plan.add(Action.CHANGED, thing, "secret; the old one is refused from now on")
    except ValidationError as error:
        _refusal_note(plan, error, path)
        return None
    values = _values(tenant, wanted) | named_values(blocked=wanted.blocked)
    granted = values.pop("granted_tenants", None)
    applied = row_apply(plan, key, values, path=path, thing=thing, words=_WORDS)
    if applied is not None and granted is not None:
        _grants_apply(plan, applied, granted, thing)
    return applied


def _issue(
    plan: Plan, tenant: Tenant | None, wanted: schema.Key | schema.PlatformKey, told: Told, path: str
) -> ApiKey:
    owner = tenant.name if tenant else PLATFORM
    key, made = key_issue(
        tenant=tenant, name=wanted.name, secret=told.secret, sha256=told.sha256, **_values(tenant, wanted)
    )
    if wanted.blocked is True:
        key_revoke(key=key)
    if told.is_nothing:
        plan.issued.append(Issued(owner, wanted.name, made))
    plan.add(Action.CREATED, f"key {owner}/{wanted.name}", "its secret is made up" if told.is_nothing else "")
    return key


def _refusal_note(plan: Plan, error: ValidationError, path: str) -> None:
    if hasattr(error, "error_dict") and "digest" in error.error_dict:
        plan.problem(f"{path}.secret", "another key has this secret, or a rotated or blocked one had it")
    else:
        problems_note(plan, error, path=path, words=_WORDS)


def _values(tenant: Tenant | None, wanted: schema.Key | schema.PlatformKey) -> dict[str, Any]:
    per_user = wanted.per_user
    values = named_values(
        models=wanted.models,
        networks=wanted.networks,
        expires_at=wanted.expires,
        priority=wanted.priority,
        roles=wanted.roles,
        per_user_class=UNSET
        if isinstance(per_user, UnsetType)
        else LimitClass.objects.filter(name=per_user.limit_class).first(),
    )
    if isinstance(wanted, schema.PlatformKey):
        return values | _reach(wanted)
    if isinstance(wanted.project, UnsetType):
        return values
    return values | {"project": Project.objects.filter(tenant=tenant, name=wanted.project).first()}


def _reach(wanted: schema.PlatformKey) -> dict[str, Any]:
    tenants = wanted.tenants
    if isinstance(tenants, UnsetType):
        return {}
    granted = [] if tenants == "all" else list(Tenant.objects.filter(name__in=tenants))
    return {"all_tenants": tenants == "all", "granted_tenants": granted}


def _grants_apply(plan: Plan, key: ApiKey, granted: list[Tenant], thing: str) -> None:
    before = {tenant.name for tenant in key.granted_tenants.all()}
    after = {tenant.name for tenant in granted}
    if before != after:
        key.granted_tenants.set(granted)
        plan.add(Action.CHANGED, thing, f"tenants {', '.join(sorted(after)) or 'none'}")


def _told(wanted: schema.AnyKey) -> Told:
    if wanted.sha256:
        return Told(sha256=bytes.fromhex(wanted.sha256))
    secret = wanted.secret or None
    if secret is not None and secret.startswith(_REFERENCES):
        secret = secret_resolve(reference=secret)
    return Told(secret=secret)


def _opens(key: ApiKey, told: Told) -> bool:
    pepper = peppers().keys.get(key.pepper)
    sha256 = told.sha256 or key_hash(told.secret or "")
    return pepper is not None and compare_digest(key.digest, hash_digest(sha256=sha256, pepper=pepper))


def _left_out(plan: Plan, key: ApiKey, thing: str) -> None:
    if not plan.prune:
        plan.add(Action.KEPT, thing, "not in the file")
    elif key.blocked:
        plan.add(Action.UNCHANGED, thing, "blocked, not in the file")
    else:
        key_revoke(key=key)
        plan.add(Action.BLOCKED, thing, "the ledger names it")
