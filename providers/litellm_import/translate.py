"""A LiteLLM Proxy's files as a configuration of ours, with the fate of each of their lines. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from msgspec import Struct

from providers.configuration.names import Known
from providers.configuration.writing import document_write
from providers.litellm_import.accounts import Host, hosts_of, providers_section
from providers.litellm_import.bounds import budget_take, window_take
from providers.litellm_import.entries import EntryReader, Waits, entries_by_model, wait_take
from providers.litellm_import.files import File, merged, parts_of
from providers.litellm_import.findings import Fate, Finding, Findings, Part, Untaken
from providers.litellm_import.models import groups_of, models_section, prices_section, waits_shared
from providers.litellm_import.routing import Fallbacks, aliases_take, strategy_take
from providers.litellm_import.settings import settings_leave
from providers.litellm_import.tenancy import NOBODYS, Tenancy
from providers.litellm_import.variables import Secret, Variables, missing

_MASTER = "master"


class Imported(Struct, frozen=True, kw_only=True):
    """What was made of the files."""

    sections: Mapping[str, Any]
    findings: Sequence[Finding]
    notes: Sequence[str]

    def of(self, fate: Fate) -> list[Finding]:
        """The lines of one fate."""
        return [one for one in self.findings if one.fate is fate]

    def text(self) -> str:
        """Our file with the secrets in it, to be applied and shown to nobody."""
        return _text(self.sections, lambda provider, key, secret: secret.stored)

    def text_shown(self) -> str:
        """Our file with variables in the place of secrets."""
        return _text(self.sections, _variable)

    def variables_needed(self) -> dict[str, str]:
        """Which variables stand for which secrets in the text that is shown."""
        return {
            _variable(name, key["name"], key["secret"]).removeprefix(
                "env:"
            ): f"provider key {name}/{key['name']}"
            for name, provider in self.sections.get("providers", {}).items()
            for key in provider.get("keys", ())
            if key["secret"].literal
        }


def translate(
    configuration: Sequence[File],
    *,
    keys: File | None = None,
    teams: File | None = None,
    environ: Mapping[str, str],
) -> Imported:
    """Read the files section by section; what nobody asked for is left in the end.

    1. Models, with where they run and what they cost.
    2. Aliases, fallbacks and the strategy.
    3. Tenants and their keys.
    4. Settings, each with what to do instead.
    """
    findings = Findings()
    files = parts_of(configuration, findings)
    tables = parts_of([table for table in (teams, keys) if table], findings)
    root = merged(files)
    sections, groups = _models(root, findings, environ)
    _routing(root, sections)
    known = Known(models=frozenset(sections["models"]), aliases=sections["aliases"])
    tenancy = Tenancy(findings, known, groups)
    if teams:
        tenancy.teams_take(tables[0])
    if keys:
        tenancy.keys_take(tables[-1])
    _proxy(root, tenancy, Variables(root.get("environment_variables"), environ))
    settings_leave([root, *(part for name, part in root.items() if name.endswith("_settings"))])
    sections["tenants"] = tenancy.tenants
    judged = [one for part in (*files, *tables) for one in findings.judge(part)]
    given = {name: section for name, section in sections.items() if section}
    return Imported(sections=given, findings=judged, notes=findings.notes)


def _models(
    root: Part, findings: Findings, environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    router, settings = root.get("router_settings"), root.get("litellm_settings")
    waits = Waits(
        first_byte=_first_wait(router.get("timeout"), settings.get("request_timeout"), first=True),
        idle=_first_wait(router.get("stream_timeout"), settings.get("stream_timeout"), first=False),
    )
    variables = Variables(root.get("environment_variables"), environ)
    reader = EntryReader(findings, variables, _credentials(root.get("credential_list")))
    groups, shared = waits_shared(entries_by_model(reader.read_all(root.get("model_list"))), waits)
    entries = [entry for group in groups.values() for entry in group]
    hosts = hosts_of(entries)
    _prices_note(findings, hosts)
    sections = {
        "providers": providers_section(hosts),
        "models": models_section(groups, hosts, shared),
        "prices": prices_section(hosts),
    }
    return sections, groups_of(groups)


def _first_wait(router: Part, settings: Part, *, first: bool) -> Decimal | None:
    found = wait_take(router, first=first)
    if found is not None:
        settings.leave_wrong("router_settings says this too, and comes first")
        return found
    return wait_take(settings, first=first)


def _prices_note(findings: Findings, hosts: Sequence[Host]) -> None:
    """LiteLLM knows prices by heart; here they are imported, and nothing unpriced passes a hard budget."""
    unpriced = [host for host in hosts if any(not entry.prices for entry in host.entries)]
    maps = [(host.name, host.first.target.host.name) for host in unpriced]
    words = "".join(f" --map {ours}={theirs}" for ours, theirs in maps if ours != theirs)
    if unpriced:
        findings.note(
            f"keys with budgets need prices: manage.py prices_import{words} brings those that are known"
        )


def _routing(root: Part, sections: dict[str, Any]) -> None:
    router, settings = root.get("router_settings"), root.get("litellm_settings")
    models = sections["models"]
    sections["aliases"] = aliases_take(router.get("model_group_alias"), models)
    fallbacks = Fallbacks(models, sections["aliases"])
    fallbacks.take(router, settings)
    fallbacks.tell()
    strategy_take(router.get("routing_strategy"), models)


def _proxy(root: Part, tenancy: Tenancy, variables: Variables) -> None:
    """What the proxy had for everybody: its master key, its budget, its cache."""
    _master_key(root.get("general_settings").get("master_key"), tenancy, variables)
    settings = root.get("litellm_settings")
    _budget(settings.get("max_budget"), settings.get("budget_duration"), tenancy)
    _cache(settings.get("cache"), settings.get("cache_params").get("ttl"), tenancy)


def _budget(amount: Part, duration: Part, tenancy: Tenancy) -> None:
    """The proxy's budget is the only tenant's; it cannot be that of several."""
    if amount.says_nothing:
        return
    budgets = [tenant.setdefault("budgets", []) for tenant in tenancy.tenants.values()]
    if len(budgets) != 1 or budgets[0]:
        for part in (amount, duration):
            part.leave_wrong("a budget is a tenant's here, or a key's: share this one out")
    elif budget := budget_take(amount, window_take(duration), hard=True):
        budgets[0].append(budget)


def _master_key(part: Part, tenancy: Tenancy, variables: Variables) -> None:
    """Its callers go on calling; it rules over nothing here."""
    try:
        secret = variables.secret(part)
        if secret is None:
            return
        plain = variables.reveal(secret)
        if not plain:
            raise Untaken(missing(secret.variable))
        stored = secret.stored if secret.variable else ""
        tenancy.key_add(_MASTER, sha256=hashlib.sha256(plain.encode()).hexdigest(), secret=stored)
        part.change(f"it is a key of tenant {NOBODYS} to call with; to manage, make a platform key")
    except Untaken as reason:
        part.leave(str(reason))


def _cache(part: Part, ttl: Part, tenancy: Tenancy) -> None:
    wanted = None if part.says_nothing else part.flag()
    if not wanted:
        return
    if not tenancy.tenants:
        part.leave("whether answers are kept is a tenant's policy, and there is no tenant yet")
        return
    part.change("it is the policy of each tenant, whose answers are kept for its own calls alone")
    seconds = None if ttl.says_nothing else ttl.whole(least=1)
    for tenant in tenancy.tenants.values():
        tenant["policy"] = {"cache": "all"} | ({"cache_seconds": seconds} if seconds else {})


def _credentials(part: Part) -> dict[str, Part]:
    if part.says_nothing:
        return {}
    return {one.get("credential_name").text(): one.get("credential_values") for one in part.elements()}


def _variable(provider: str, key: str, secret: Secret) -> str:
    if secret.variable:
        return secret.stored
    return "env:" + re.sub(r"[^A-Z0-9]+", "_", f"{provider}_{key}_SECRET".upper())


def _text(sections: Mapping[str, Any], secret_of: Any) -> str:
    sections = deepcopy(dict(sections))
    for name, provider in sections.get("providers", {}).items():
        for key in provider.get("keys", ()):
            key["secret"] = secret_of(name, key["name"], key["secret"])
    return document_write(sections, ["Made by `manage.py import_litellm`."])
