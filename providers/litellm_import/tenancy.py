"""Teams as tenants, and virtual keys as theirs, taken over by their hashes: callers notice nothing."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from providers.configuration.names import Known
from providers.litellm_import.bounds import Allowed, bounds_take, models_meet, models_take
from providers.litellm_import.findings import Findings, Part, Untaken

NOBODYS = "default"
"""The tenant of keys that no team has."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 100
_CALLING = frozenset({"default", "llm_api"})
_CALLING_ROUTES = frozenset({"llm_api_routes", "openai_routes"})
_BOUNDING = ("budget_id", "budget_limits")
_BOUNDING_METADATA = ("model_rpm_limit", "model_tpm_limit")
_BLOCKED = "this bounds the key and cannot be taken, so the key comes blocked: open it when you have looked"
_HISTORY = (
    "budget_reset_at",
    "created_at",
    "created_by",
    "last_active",
    "last_rotation_at",
    "model_spend",
    "rotation_count",
    "settings_updated_at",
    "soft_budget_cooldown",
    "updated_at",
    "updated_by",
)
_REASONS = {
    "user_id": "limits of users are in a table of their own, and are not taken over",
    "spend": "what was spent is not carried over: windows and budgets begin anew",
    "total_spend": "what was spent is not carried over: windows and budgets begin anew",
    "members": "people sign in to the admin, where a tenant has its members",
    "members_with_roles": "people sign in to the admin, where a tenant has its members",
    "admins": "people sign in to the admin, where a tenant has its members",
    "aliases": "aliases are everybody's here",
    "organization_id": "limits of organizations are in a table of their own, and are not taken over",
}


class _Team(Struct, frozen=True):
    name: str
    allowed: Allowed


class Tenancy:
    """Collects tenants with their keys."""

    def __init__(self, findings: Findings, known: Known, groups: Mapping[str, Sequence[str]]) -> None:
        self._findings = findings
        self._known = known
        self._groups = groups
        self._teams: dict[str, _Team] = {}
        self._hashes: set[str] = set()
        self._names: dict[str, set[str]] = {}
        self.tenants: dict[str, dict[str, Any]] = {}

    def teams_take(self, table: Part) -> None:
        """Each team becomes a tenant."""
        for row in table.elements():
            try:
                self._team_take(row)
            except Untaken as reason:
                row.leave(str(reason))

    def keys_take(self, table: Part) -> None:
        """Each key becomes one of its team's tenant."""
        for row in table.elements():
            try:
                with self._findings.attempt():
                    self._key_take(row)
            except Untaken as reason:
                row.leave(str(reason))

    def key_add(self, name: str, *, sha256: str, secret: str = "") -> None:
        """A key of nobody's, told by the place of its secret or by its hash."""
        if sha256 in self._hashes:
            raise Untaken("a row of the keys has this key")
        self._hashes.add(sha256)
        self._add(NOBODYS, {"name": name, **({"secret": secret} if secret else {"sha256": sha256})})

    def _team_take(self, row: Part) -> None:
        identifier = row.get("team_id").text()
        if not identifier or identifier in self._teams:
            raise Untaken("a team needs a team_id of its own")
        title = row.get("team_alias").text()[:200]
        name = _unused(_slug(title or identifier), {*self.tenants, NOBODYS})
        bounds = bounds_take(row, self._known)
        allowed = models_take(row.get("models"), self._known, self._groups)
        section: dict[str, Any] = {"title": title} if title else {}
        section |= bounds.sections
        blocked = row.get("blocked")
        bounding = [row.get(column) for column in _BOUNDING if not row.get(column).says_nothing]
        for part in bounding:
            part.leave("this bounds the team and cannot be taken, so the tenant comes blocked")
        if bounding or not bounds.is_whole or (not blocked.says_nothing and blocked.flag() is not False):
            section["blocked"] = True
        _rest_mark(row)
        self.tenants[name] = section
        self._teams[identifier] = _Team(name, allowed)

    def _key_take(self, row: Part) -> None:
        token = row.get("token").text().lower()
        if not _SHA256.fullmatch(token):
            raise Untaken("token is not the SHA-256 of a key in hexadecimal digits")
        if token in self._hashes:
            raise Untaken("another row has this token")
        team = self._team_of(row.get("team_id"))
        key: dict[str, Any] = {"sha256": token}
        bounds = bounds_take(row, self._known)
        own = models_take(row.get("models"), self._known, self._groups)
        allowed = models_meet(own, team.allowed)
        if allowed:
            key["models"] = allowed
        if not row.get("expires").says_nothing:
            key["expires"] = _moment(row.get("expires"))
        key |= bounds.sections
        blocked = row.get("blocked")
        is_blocked = not blocked.says_nothing and blocked.flag() is not False
        if _is_bound_otherwise(row) or is_blocked or allowed is None or not bounds.is_whole:
            key["blocked"] = True
        if allowed is None:
            row.get("models").change("no model of these can be called here, so the key comes blocked")
        self._add(team.name, {"name": self._name(row, token), **key})
        self._hashes.add(token)
        _rest_mark(row)

    def _name(self, row: Part, token: str) -> str:
        alias, shown = row.get("key_alias"), row.get("key_name")
        if not shown.says_nothing and not alias.says_nothing:
            shown.change("the key goes by its alias")
        text = (alias if not alias.says_nothing else shown).text()
        return text[:_LONGEST_NAME] or f"key-{token[:8]}"

    def _team_of(self, part: Part) -> _Team:
        if part.says_nothing:
            return _Team(NOBODYS, [])
        identifier = part.text()
        if identifier not in self._teams:
            name = _unused(_slug(identifier), {*self.tenants, NOBODYS})
            self._teams[identifier] = _Team(name, [])
            self._findings.note(
                f"tenant {name} has no bounds but its keys': its team is not given, see --teams"
            )
        return self._teams[identifier]

    def _add(self, tenant: str, key: dict[str, Any]) -> None:
        names = self._names.setdefault(tenant, set())
        key["name"] = _unused(key["name"], names)
        names.add(key["name"])
        self.tenants.setdefault(tenant, {}).setdefault("keys", []).append(key)


def _is_bound_otherwise(row: Part) -> bool:
    """Whether it has bounds that nothing here can say; they are left."""
    metadata = row.get("metadata")
    bounding = [row.get(column) for column in _BOUNDING]
    bounding += [metadata.get(word) for word in _BOUNDING_METADATA]
    routes, kind = row.get("allowed_routes"), row.get("key_type")
    if not set(routes.texts()) <= _CALLING_ROUTES:
        bounding.append(routes)
    if not kind.says_nothing and kind.text() not in _CALLING:
        bounding.append(kind)
    given = [part for part in bounding if not part.says_nothing]
    for part in given:
        part.leave(_BLOCKED)
    return bool(given)


def _rest_mark(row: Part) -> None:
    for column in _HISTORY:
        if not row.get(column).says_nothing:
            row.get(column).change("the ledger and the admin write their own history")
    for column, reason in _REASONS.items():
        part = row.get(column)
        if column.endswith("spend") and str(part.value) in ("0", "0.0"):
            part.take()
        else:
            part.leave_wrong(reason)


def _moment(part: Part) -> str:
    """When a key ends; LiteLLM's tables are in UTC."""
    try:
        moment = datetime.fromisoformat(part.text())
    except ValueError:
        raise Untaken("expires is no date, so the key would never end") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:50].strip("-._") or "team"


def _unused(name: str, names: set[str]) -> str:
    found, number = name, 1
    while found in names:
        number += 1
        found = f"{name[: _LONGEST_NAME - 8]}-{number}"
    return found
