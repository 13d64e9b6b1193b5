"""Issues, rotates and revokes keys; the key itself is answered once and never stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from tenants.models import ApiKey, Budget, Limit, LimitClass, Project, Tenant
from tenants.secrets import hash_digest, key_hash, peppers

_RANDOM_BYTES = 32
_SHOWN_WHEN_LONGER_THAN = 16


def key_issue(
    *,
    tenant: Tenant | None,
    name: str,
    project: Project | None = None,
    secret: str | None = None,
    sha256: bytes | None = None,
    models: Sequence[str] = (),
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    per_user_class: LimitClass | None = None,
    roles: Sequence[str] = (),
    all_tenants: bool = False,
    granted_tenants: Sequence[Tenant] = (),
    priority: int = 0,
) -> tuple[ApiKey, str]:
    """Make a key and answer it with its secret; without a tenant, it is a platform key.

    A secret that only its holder knows is told by its SHA-256; it is answered as an empty text.
    """
    key = ApiKey(
        tenant=tenant,
        name=name,
        project=project,
        models=list(models),
        networks=list(networks),
        expires_at=expires_at,
        per_user_class=per_user_class,
        roles=list(roles),
        all_tenants=all_tenants,
        priority=priority,
    )
    if tenant and granted_tenants:
        raise ValidationError({"granted_tenants": "Only platform keys act for other tenants."})
    with transaction.atomic():
        secret = _key_store(key, secret, sha256)
        key.granted_tenants.set(granted_tenants)
    return key, secret


def key_rotate(
    *, key: ApiKey, grace_seconds: int, secret: str | None = None, sha256: bytes | None = None
) -> tuple[ApiKey, str]:
    """Put a new key in the place of a live one, which stays good for the grace period.

    The new key has the old one's limits, budgets and lineage, so that spending goes on where it stood.
    """
    with transaction.atomic():
        now = timezone.now()
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        if old.blocked or old.grace_until:
            raise ValidationError("Only a live key can be rotated.")
        grace_until = now + timedelta(seconds=grace_seconds)
        ApiKey.objects.filter(pk=old.pk).update(grace_until=grace_until)
        new = _successor(old)
        secret = _key_store(new, secret, sha256)
        new.granted_tenants.set(old.granted_tenants.all())
        _bounds_copy(old, new)
    key.grace_until = grace_until
    return new, secret


def key_revoke(*, key: ApiKey) -> None:
    """Refuse the key from now on."""
    key.blocked = True
    key.save(update_fields=["blocked"])


def key_name_check(*, tenant: Tenant | None, name: str, besides: ApiKey) -> None:
    """Refuse a name that another live key of the tenant, or of the platform, has."""
    peers = ApiKey.objects.filter(tenant=tenant, name=name, blocked=False, grace_until=None)
    if peers.exclude(pk=besides.pk).exists():
        raise ValidationError({"name": "A live key has this name already: rotate it, or revoke it first."})


def _successor(old: ApiKey) -> ApiKey:
    return ApiKey(
        tenant=old.tenant,
        project=old.project,
        name=old.name,
        lineage=old.lineage,
        models=old.models,
        networks=old.networks,
        expires_at=old.expires_at,
        rotated_from=old,
        per_user_class=old.per_user_class,
        roles=old.roles,
        all_tenants=old.all_tenants,
        priority=old.priority,
    )


def _bounds_copy(old: ApiKey, new: ApiKey) -> None:
    bounds: list[Limit | Budget] = [*Limit.objects.filter(key=old), *Budget.objects.filter(key=old)]
    for bound in bounds:
        bound.pk = type(bound)._meta.pk.get_default()
        bound.key = new
        bound.save(force_insert=True)


def _key_store(key: ApiKey, secret: str | None, sha256: bytes | None) -> str:
    if sha256 is None:
        secret = f"gw-{token_urlsafe(_RANDOM_BYTES)}" if secret is None else secret
        _secret_check(secret)
        sha256 = key_hash(secret)
    secret = secret or ""
    ring = peppers()
    key.pepper = ring.newest
    key.digest = hash_digest(sha256=sha256, pepper=ring.keys[ring.newest])
    if len(secret) > _SHOWN_WHEN_LONGER_THAN:
        key.prefix, key.last_four = secret[:7], secret[-4:]
    key.full_clean()
    key.save(force_insert=True)
    return secret


def _secret_check(secret: str) -> None:
    if not secret.isascii() or not secret.isprintable() or not secret.strip() or " " in secret:
        raise ValidationError("A key is written in printable ASCII without spaces.")
