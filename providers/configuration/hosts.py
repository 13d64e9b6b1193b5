"""Applies the providers of a file, and their keys."""

from msgspec import UNSET, UnsetType

from providers.configuration import schema
from providers.configuration.figures import MILLISECONDS, given_whole
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import path_join
from providers.configuration.rows import named_values, row_apply
from providers.keys import provider_key_secret_set
from providers.models import Provider, ProviderKey
from providers.validators import SECRET_REFERENCES
from tenants.models import Tenant
from tenants.secrets import SecretUnreadable, secret_open, secret_resolve

WAIT_WORDS = {
    "connect_timeout_ms": "timeout.connect",
    "first_byte_timeout_ms": "timeout.first_byte",
    "idle_timeout_ms": "timeout.idle",
    "total_timeout_ms": "timeout.total",
}
"""The file's names of the columns of waits."""

_WORDS = {"kind": "type", "security_level": "security", **WAIT_WORDS}
_LENDABLE = ("rpm", "tpm", "parallel")


def providers_apply(plan: Plan, providers: dict[str, schema.Provider]) -> None:
    """Create and change providers with their keys; keys that the file leaves out are pruned or kept."""
    rows = {row.name: row for row in Provider.objects.select_related("tenant")}
    for name, wanted in providers.items():
        path = path_join("providers", name)
        row = row_apply(
            plan,
            rows.get(name) or Provider(name=name),
            _provider_values(plan, wanted, path),
            path=path,
            thing=f"provider {name}",
            words=_WORDS,
        )
        if row is not None:
            _keys_apply(plan, row, wanted, path)


def tenant_named(name: str | UnsetType | None) -> Tenant | UnsetType | None:
    """The tenant of a name; UNSET and None stay what they are."""
    return Tenant.objects.filter(name=name).first() if isinstance(name, str) else name


def _provider_values(plan: Plan, wanted: schema.Provider, path: str) -> dict[str, object]:
    return named_values(
        wire=wanted.wire,
        base_url=wanted.base_url,
        kind=wanted.type,
        security_level=wanted.security,
        default_model=wanted.default_model,
        headers=wanted.headers,
        includes_usage=wanted.includes_usage,
        has_responses=wanted.has_responses,
        bills_to_end=wanted.bills_to_end,
        tenant=tenant_named(wanted.tenant),
        blocked=wanted.blocked,
        **wait_values(plan, wanted.timeout or schema.Timeout(), path),
    )


def wait_values(plan: Plan, timeout: schema.Timeout, path: str) -> dict[str, object]:
    """The columns of the waits that a provider or model names."""
    return {
        column: given_whole(
            plan,
            getattr(timeout, word.rpartition(".")[2]),
            MILLISECONDS,
            path=f"{path}.{word}",
            unit="milliseconds",
        )
        for column, word in WAIT_WORDS.items()
    }


def _keys_apply(plan: Plan, provider: Provider, wanted: schema.Provider, path: str) -> None:
    rows = {row.name: row for row in provider.keys.select_related("tenant")}
    if wanted.limits and not rows and not wanted.keys:
        plan.problem(f"{path}.limits", "a provider's limits need a key to hang on")
    for index, key in enumerate(wanted.keys):
        place = f"{path}.keys[{index}]"
        row = rows.pop(key.name, None) or ProviderKey(provider=provider, name=key.name)
        values = _key_values(key, wanted.limits)
        if not isinstance(key.secret, UnsetType):
            values |= _secret_values(plan, row, key.secret, f"{place}.secret")
        elif row._state.adding:
            plan.problem(f"{place}.secret", "a new key needs a secret: write env:NAME, file:PATH or itself")
            continue
        row_apply(
            plan,
            row,
            values,
            path=place,
            thing=f"provider key {provider.name}/{key.name}",
            hidden=frozenset({"secret", "last_four"}),
        )
    _keys_lend_limits(plan, list(rows.values()), wanted, path)


def _keys_lend_limits(plan: Plan, rows: list[ProviderKey], wanted: schema.Provider, path: str) -> None:
    """Keys that the file does not list get the provider's limits too, or leave."""
    for row in rows:
        thing = f"provider key {row.provider.name}/{row.name}"
        if wanted.keys and plan.prune:
            row.delete()
            plan.add(Action.REMOVED, thing)
        elif wanted.keys:
            plan.add(Action.KEPT, thing, "not in the file")
        elif wanted.limits:
            limits = {name: getattr(wanted.limits, name) for name in _LENDABLE}
            row_apply(plan, row, named_values(**limits), path=f"{path}.limits", thing=thing)


def _key_values(key: schema.ProviderKey, lent: schema.ProviderLimits | UnsetType) -> dict[str, object]:
    limits = {
        name: getattr(lent, name, UNSET) if isinstance(getattr(key, name), UnsetType) else getattr(key, name)
        for name in _LENDABLE
    }
    return named_values(tenant=tenant_named(key.tenant), blocked=key.blocked, **limits)


def _secret_values(plan: Plan, row: ProviderKey, secret: str, path: str) -> dict[str, str]:
    """The columns of a secret, or none where the row holds this very secret already."""
    if secret.startswith(SECRET_REFERENCES):
        try:
            secret_resolve(reference=secret)
        except SecretUnreadable as error:
            plan.note(path, error.message)
    elif not row._state.adding and _stored(row) == secret:
        return {}
    fresh = ProviderKey()
    provider_key_secret_set(key=fresh, secret=secret)
    return {"secret": fresh.secret, "last_four": fresh.last_four}


def _stored(row: ProviderKey) -> str | None:
    try:
        return secret_open(envelope=row.secret)
    except SecretUnreadable:
        return None
