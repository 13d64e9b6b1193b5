"""Who a key is: the rows of a tenant gathered into the engine's `Principal`."""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import Forbidden, Unauthenticated
from gateway.pricing import Terms
from gateway.principal import EndUser as EngineEndUser
from gateway.principal import Policy as EnginePolicy
from gateway.principal import Principal
from tenants.accounts import class_accounts, end_user_accounts, tenant_accounts
from tenants.models import ApiKey, EndUser, Policy, Project, Tenant
from tenants.passes import Pass, is_pass, pass_read
from tenants.secrets import key_digest, peppers
from tenants.validators import slug_validator

_MADE_ON_FIRST_USE_AT_MOST = 100
_LONGEST_END_USER = 200
_BASIS_POINTS = 10_000
_USE_NOTED_EVERY = timedelta(minutes=5)


class Known(Struct, frozen=True, kw_only=True):
    """A principal, with what is still checked at each call."""

    principal: Principal
    valid_until: datetime | None = None
    networks: tuple[str, ...] = ()


def known_load(*, credential: str, tenant_name: str, project_name: str) -> Known:
    """Find who sends this key for this tenant and project, or say why nobody does."""
    if not credential:
        return Known(principal=_principal(_anonymous_tenant(tenant_name), None, project_name))
    if is_pass(credential):
        return _pass_known(pass_read(credential), tenant_name, project_name)
    key = _key_find(credential)
    tenant = _tenant_for(key, tenant_name)
    principal = _principal(tenant, key, project_name)
    _note_use(key)
    return Known(principal=principal, valid_until=_valid_until(key), networks=tuple(key.networks))


def _pass_known(given: Pass, tenant_name: str, project_name: str) -> Known:
    """Whom the gateway itself calls for."""
    tenant = Tenant.objects.filter(pk=given.tenant).first()
    if tenant is None or tenant_name not in ("", tenant.name):
        raise Forbidden("This pass is for another tenant.")
    principal = replace(_principal(tenant, None, project_name), key=given.by)
    return Known(principal=principal, valid_until=given.until)


def key_recognise(*, credential: str, address: str) -> ApiKey:
    """The key that somebody sends from an address, if it opens doors now."""
    key = _key_find(credential)
    until = _valid_until(key)
    if until is not None and until <= timezone.now():
        raise Unauthenticated("This key has expired.")
    network_check(address, tuple(key.networks))
    _note_use(key)
    return key


def network_check(address: str, networks: tuple[str, ...]) -> None:
    """Refuse an address outside the networks, if there are any."""
    if not networks:
        return
    try:
        here = ip_address(address)
    except ValueError:
        raise Forbidden("This key may not be used from this address.") from None
    if isinstance(here, IPv6Address) and here.ipv4_mapped is not None:
        here = here.ipv4_mapped  # how a dual-stack socket shows a caller over IPv4
    if not any(here in ip_network(network, strict=False) for network in networks):
        raise Forbidden("This key may not be used from this address.")


def end_user_load(*, principal: Principal, name: str) -> EngineEndUser:
    """Find a tenant's end user; at first sight they get a row, whose id stands for them in the ledger."""
    row, _ = EndUser.objects.select_related("tenant", "limit_class").get_or_create(
        tenant_id=principal.tenant_id, name=_end_user_name(name)
    )
    accounts = end_user_accounts(end_user=row, zone=row.tenant.time_zone)
    return EngineEndUser(id=row.id, accounts=accounts, blocked=row.blocked)


def end_user_find(*, principal: Principal, name: str) -> EngineEndUser | None:
    """A tenant's end user, if they were met before."""
    row = (
        EndUser.objects.select_related("tenant", "limit_class")
        .filter(tenant_id=principal.tenant_id, name=_end_user_name(name))
        .first()
    )
    if row is None:
        return None
    accounts = end_user_accounts(end_user=row, zone=row.tenant.time_zone)
    return EngineEndUser(id=row.id, accounts=accounts, blocked=row.blocked)


def _end_user_name(name: str) -> str:
    return name.replace("\x00", "")[:_LONGEST_END_USER]


def _key_find(credential: str) -> ApiKey:
    digests = [key_digest(key=credential, pepper=pepper) for pepper in peppers().keys.values()]
    key = (
        ApiKey.objects.select_related("tenant", "project", "per_user_class")
        .filter(digest__in=digests, blocked=False)
        .first()
    )
    if key is None:
        raise Unauthenticated
    return key


def _valid_until(key: ApiKey) -> datetime | None:
    return min(filter(None, (key.expires_at, key.grace_until)), default=None)


def _note_use(key: ApiKey) -> None:
    """When a key was last used, to within some minutes: a write for each call would be worth less."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > _USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _tenant_for(key: ApiKey, name: str) -> Tenant:
    if key.tenant is not None:
        if name and name != key.tenant.name:
            raise Forbidden("This key belongs to another tenant than X-Tenant-ID names.")
        return key.tenant
    name = name or settings.GATEWAY_ANONYMOUS_TENANT
    if not name:
        raise Forbidden("A platform key acts for a tenant: name it with X-Tenant-ID.")
    reach = Tenant.objects.all() if key.all_tenants else key.granted_tenants.all()
    tenant = reach.filter(name=name).first()
    if tenant is None:
        raise Forbidden("This key may not act for that tenant.")
    return tenant


def _anonymous_tenant(name: str) -> Tenant:
    if not settings.GATEWAY_ANONYMOUS_TENANT:
        raise Unauthenticated
    wanted = name or settings.GATEWAY_ANONYMOUS_TENANT
    tenant = Tenant.objects.filter(name=wanted).first()
    if tenant is None:
        return _tenant_make(wanted)
    if wanted != settings.GATEWAY_ANONYMOUS_TENANT and not tenant.made_on_first_use:
        raise Unauthenticated
    return tenant


def _tenant_make(name: str) -> Tenant:
    """A tenant on first use, as the loopback set-up allows; bounded, since anyone may name one."""
    with transaction.atomic():
        made = Tenant.objects.filter(made_on_first_use=True).count()
        if made >= _MADE_ON_FIRST_USE_AT_MOST or not _is_slug(name):
            raise Forbidden("No tenant of that name can be made here.")
        return Tenant.objects.get_or_create(name=name, defaults={"made_on_first_use": True})[0]


def _is_slug(name: str) -> bool:
    try:
        slug_validator(name)
    except ValidationError:
        return False
    return True


def _principal(tenant: Tenant, key: ApiKey | None, project_name: str) -> Principal:
    project = _project(tenant, key, project_name)
    if tenant.blocked or (project is not None and project.blocked):
        raise Forbidden("Calls of this tenant or project are blocked.")
    policy = Policy.objects.filter(tenant=tenant).first() or Policy(
        tenant=tenant, **settings.GATEWAY_POLICY_DEFAULTS
    )
    defaults = {"chat": tenant.default_chat_model, "embedding": tenant.default_embedding_model}
    return Principal(
        tenant_id=tenant.id,
        tenant=tenant.name,
        project_id=project.id if project else None,
        project=project.name if project else "",
        cost_centre=project.cost_centre if project else "",
        key_id=key.id if key else None,
        key=key.name if key else "",
        models=tuple(key.models) if key else (),
        accounts=tenant_accounts(tenant=tenant, project=project, key=key),
        user_accounts=class_accounts(limit_class=key.per_user_class, zone=tenant.time_zone) if key else (),
        terms=Terms(tenant_id=tenant.id, markup_bps=tenant.markup_bps),
        default_models={kind: model for kind, model in defaults.items() if model},
        roles=tuple(key.roles) if key else (),
        priority=key.priority if key else 0,
        policy=_policy(policy),
    )


def _policy(row: Policy) -> EnginePolicy:
    return EnginePolicy(
        tags=tuple(row.tags),
        books_away=cast(Literal["refuse", "allow"], row.books_away),
        over_budget=cast(Literal["refuse", "clamp"], row.over_budget),
        cache=cast(Literal["off", "deterministic", "all"], row.cache),
        cache_seconds=row.cache_seconds,
        semantic_model=row.semantic_model,
        semantic_threshold=row.semantic_threshold / _BASIS_POINTS,
        queue_seconds=float(row.queue_seconds),
        queue_length=row.queue_length,
        prompt_cache=cast(Literal["off", "auto"], row.prompt_cache),
    )


def _project(tenant: Tenant, key: ApiKey | None, name: str) -> Project | None:
    own = key.project if key is not None else None
    if not name or (own is not None and own.name == name):
        return own
    if own is not None:
        raise Forbidden("This key belongs to another project than X-Gateway-Project names.")
    project = Project.objects.filter(tenant=tenant, name=name).first()
    if project is None:
        raise Forbidden("The tenant has no project of the name in X-Gateway-Project.")
    return project
