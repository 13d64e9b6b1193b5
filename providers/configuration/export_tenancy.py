"""Rows of tenants and their keys as the plain values of the file."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Field
from django.db.models import Model as Row

from providers.configuration.bounds import LIMIT_WORDS
from providers.configuration.credentials import keys_current
from providers.configuration.figures import BASIS_POINTS, NANO_PER_DOLLAR
from tenants.models import ApiKey, Budget, Limit, LimitClass, Policy, Tenant

_WORDS = {(meant.unit, meant.window): word for word, meant in LIMIT_WORDS.items()}
_SCOPES = ("tenant", "project", "key", "limit_class")
_TENANT = {"title": "title", "time_zone": "time_zone", "blocked": "blocked"}
_DEFAULTS = {"chat": "default_chat_model", "embedding": "default_embedding_model"}
_POLICY = {
    name: name
    for name in (
        "cache",
        "cache_seconds",
        "prompt_cache",
        "queue_seconds",
        "queue_length",
        "over_budget",
        "books_away",
        "log_content",
        "tags",
    )
}
_POLICY_PARTS = {
    "semantic": {"model": "semantic_model", "threshold": "semantic_threshold"},
    "sensitivity": {"action": "sensitivity_action", "threshold": "sensitivity_threshold"},
}
_PROJECT = {"cost_centre": "cost_centre", "blocked": "blocked"}
_KEY = {
    "project": "project",
    "models": "models",
    "networks": "networks",
    "expires": "expires_at",
    "roles": "roles",
    "priority": "priority",
    "blocked": "blocked",
}
_BUDGET = {"model": "model", "alert_percents": "alert_percents"}

Bounds = Mapping[tuple[str, Any], dict[str, Any]]
"""Limits and budgets as the file writes them, by scope and owner."""


def values_written(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    """Columns that differ from their defaults, under the file's names; rows by their own name."""
    written = {}
    for name, column in names.items():
        value = getattr(row, column)
        field = row._meta.get_field(column)
        if isinstance(field, Field) and value == field.get_default():
            continue
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        written[name] = getattr(value, "name", value)
    return written


def tenancy_sections() -> tuple[dict[str, Any], dict[str, int]]:
    """The sections of tenants, classes and the platform, and counts of what the file has no words for."""
    bounds, wordless = _bounds()
    platform = [_key(key, bounds) for key in keys_current(None).values()]
    sections = {
        "tenants": {tenant.name: _tenant(tenant, bounds) for tenant in Tenant.objects.all()},
        "limit_classes": {
            row.name: bounds.get(("limit_class", row.pk), {}).get("limits", {})
            for row in LimitClass.objects.all()
        },
        "platform": {"keys": platform} if platform else {},
    }
    return sections, {"limits and budgets that the file has no words for": wordless}


def _bounds() -> tuple[Bounds, int]:
    bounds: dict[tuple[str, Any], dict[str, Any]] = {}
    wordless = 0
    rows: list[Limit | Budget] = [*Limit.objects.all(), *Budget.objects.all()]
    for row in rows:
        scope = next((scope for scope in _SCOPES if getattr(row, f"{scope}_id", None)), "")
        word = _WORDS.get((row.unit, row.window)) if isinstance(row, Limit) and not row.model else None
        if not scope or (isinstance(row, Limit) and word is None):
            wordless += 1
            continue
        owned = bounds.setdefault((scope, getattr(row, f"{scope}_id")), {})
        if isinstance(row, Budget):
            owned.setdefault("budgets", []).append(_budget(row))
        else:
            owned.setdefault("limits", {}).update({word: row.amount} | _burst(row, word))
    return bounds, wordless


def _burst(row: Limit, word: str | None) -> dict[str, Any]:
    if word != "rpm":
        return {}
    burst = {"burst": {"calls": row.burst_calls, "seconds": row.burst_seconds}} if row.burst_calls else {}
    return burst | ({"cooldown_seconds": row.cooldown_seconds} if row.cooldown_seconds else {})


def _budget(row: Budget) -> dict[str, Any]:
    amount = Decimal(row.amount_nano) / NANO_PER_DOLLAR
    return {"amount": amount, "window": row.window, "hard": row.hard} | values_written(row, _BUDGET)


def _tenant(tenant: Tenant, bounds: Bounds) -> dict[str, Any]:
    written = values_written(tenant, _TENANT) | bounds.get(("tenant", tenant.pk), {})
    projects = {
        row.name: values_written(row, _PROJECT) | bounds.get(("project", row.pk), {})
        for row in tenant.projects.all()
    }
    keys = [_key(key, bounds) for key in keys_current(tenant).values()]
    policy = Policy.objects.filter(tenant=tenant).first()
    parts = {
        "projects": projects,
        "keys": keys,
        "contract": {"markup_bps": tenant.markup_bps} if tenant.markup_bps else {},
        "policy": _policy(policy) if policy else {},
        "defaults": values_written(tenant, _DEFAULTS),
    }
    return written | {name: part for name, part in parts.items() if part}


def _policy(policy: Policy) -> dict[str, Any]:
    written = values_written(policy, _POLICY)
    for name, columns in _POLICY_PARTS.items():
        part = values_written(policy, columns)
        if "threshold" in part:
            part["threshold"] = Decimal(part["threshold"]) / BASIS_POINTS
        if part:
            written[name] = part
    return written


def _key(key: ApiKey, bounds: Bounds) -> dict[str, Any]:
    written = {"name": key.name} | values_written(key, _KEY)
    if key.per_user_class:
        written["per_user"] = {"class": key.per_user_class.name}
    granted = [tenant.name for tenant in key.granted_tenants.all()]
    if key.all_tenants or granted:
        written["tenants"] = "all" if key.all_tenants else granted
    return written | bounds.get(("key", key.pk), {})
