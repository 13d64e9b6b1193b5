"""Writes the configuration back as the file that would make it.

Defaults are left out, as are secrets that are stored here: applying the file where it was written changes
nothing, and applying it elsewhere asks for the provider secrets and issues new keys.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from providers.configuration.export_tenancy import tenancy_sections, values_written
from providers.configuration.figures import BASIS_POINTS, MILLISECONDS, dollars_of
from providers.configuration.writing import document_write
from providers.cost_map import SOURCE as COST_MAP
from providers.models import Alias, Deployment, Model, PlatformDefault, Price, Provider, ProviderKey
from providers.terms import prices_listed

_ENVELOPE = "g1:"
_PROVIDER = {
    "wire": "wire",
    "base_url": "base_url",
    "type": "kind",
    "security": "security_level",
    "default_model": "default_model",
    "headers": "headers",
    "includes_usage": "includes_usage",
    "has_responses": "has_responses",
    "bills_to_end": "bills_to_end",
    "tenant": "tenant",
    "blocked": "blocked",
}
_PROVIDER_KEY = {name: name for name in ("rpm", "tpm", "parallel", "tenant", "blocked")}
_TIMEOUT = {name: f"{name}_timeout_ms" for name in ("connect", "first_byte", "idle", "total")}
_MODEL = {
    name: name
    for name in (
        "kind",
        "context_window",
        "max_output_tokens",
        "vocabulary",
        "capabilities",
        "strategy",
        "sticky",
        "hedge",
        "blocked",
    )
}
_BATCH = {"size": "batch_size", "milliseconds": "batch_ms"}
_DEPLOYMENT = {
    name: name for name in ("weight", "priority", "region", "max_parallel", "quality", "blocked", "held_open")
}
_WHEN = {name: name for name in ("context_above", "service_tier", "region")}


def configuration_export() -> str:
    """The whole configuration as YAML, with comments that count what is left out."""
    now = timezone.now()
    tenancy, left_out = tenancy_sections()
    sections = {
        "providers": {row.name: _provider(row) for row in _providers()},
        "models": {
            row.name: _model(row) for row in Model.objects.prefetch_related("deployments__provider", "routes")
        },
        "aliases": {row.name: row.target for row in Alias.objects.all()},
        "prices": _prices(now),
        **tenancy,
        "defaults": {row.kind: row.model for row in PlatformDefault.objects.all()},
    }
    comments = ["Written by `manage.py export`. Secrets stored here are not in it."]
    counts = _stored_counts(now) | left_out
    comments += [f"Left out: {count} {what}." for what, count in counts.items() if count]
    return document_write({name: section for name, section in sections.items() if section}, comments)


def _stored_counts(now: datetime) -> dict[str, int]:
    return {
        "stored provider secrets": ProviderKey.objects.filter(secret__startswith=_ENVELOPE).count(),
        "prices imported by `manage.py prices_import`": sum(
            row.source.startswith(COST_MAP) for row in prices_listed(at=now).in_force.values()
        ),
        "prices that begin later": Price.objects.filter(valid_from__gt=now, valid_until=None).count(),
    }


def _providers() -> Iterable[Provider]:
    return Provider.objects.select_related("tenant").prefetch_related("keys__tenant")


def _provider(row: Provider) -> dict[str, Any]:
    written = values_written(row, _PROVIDER)
    written |= _waits(row)
    keys = [
        {
            "name": key.name,
            **({} if key.secret.startswith(_ENVELOPE) else {"secret": key.secret}),
            **values_written(key, _PROVIDER_KEY),
        }
        for key in row.keys.all()
    ]
    return {"wire": row.wire} | written | ({"keys": keys} if keys else {})


def _waits(row: Provider | Model) -> dict[str, Any]:
    waits = values_written(row, _TIMEOUT)
    seconds = {name: Decimal(wait) / MILLISECONDS for name, wait in waits.items()}
    return {"timeout": seconds} if seconds else {}


def _model(row: Model) -> dict[str, Any]:
    deployments = [_deployment(deployment) for deployment in row.deployments.all()]
    fallbacks: dict[str, list[str]] = {}
    for route in row.routes.all():
        fallbacks.setdefault(route.cause, []).append(route.target)
    written: dict[str, Any] = {"deployments": deployments} if deployments else {}
    if fallbacks:
        written["fallbacks"] = fallbacks["any"] if list(fallbacks) == ["any"] else fallbacks
    batch = values_written(row, _BATCH)
    return written | values_written(row, _MODEL) | ({"batch": batch} if batch else {}) | _waits(row)


def _deployment(row: Deployment) -> dict[str, Any]:
    written = values_written(row, _DEPLOYMENT)
    if "quality" in written:
        written["quality"] = Decimal(written["quality"]) / BASIS_POINTS
    return {"provider": row.provider.name, "model": row.upstream_model} | written


def _prices(now: datetime) -> list[dict[str, Any]]:
    """One line for all meters that share their terms."""
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for terms, row in prices_listed(at=now).in_force.items():
        if row.source.startswith(COST_MAP):
            continue
        shared = tuple(part for name, part in terms.parts.items() if name != "meter")
        line = lines.setdefault(shared, _price_head(row))
        line[row.meter] = dollars_of(meter=row.meter, pico=row.pico_per_unit)
    return [lines[shared] for shared in sorted(lines, key=str)]


def _price_head(row: Price) -> dict[str, Any]:
    head: dict[str, Any] = {"provider": row.provider.name} if row.provider else {}
    head["model"] = row.model
    if row.tenant:
        head["tenant"] = row.tenant.name
    if row.side != Price.Side.COST:
        head["side"] = row.side
    when = values_written(row, _WHEN)
    return head | ({"when": when} if when else {})
