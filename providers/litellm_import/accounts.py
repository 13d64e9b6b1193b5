"""Entries by account: what is asked at one address in one way is a provider, and its secrets are its keys.

Two secrets are keys of one provider only where they serve the very same deployments, so that either will do
for any call. A secret for other models is a provider of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from providers.litellm_import.entries import Entry
from providers.litellm_import.findings import Part
from providers.litellm_import.variables import Secret

_MOST = 2**31 - 1
_SUMMED = "a limit holds for the whole key here: it is the sum over the models of the key"
_PARTLY = "a limit holds for the whole key here, and not every model of the key says one"
_KEYLESS = "a limit hangs on a key, and this provider has none"


class Account(Struct, kw_only=True):
    """A secret at an address, and what is asked with it."""

    secret: Secret | None
    entries: list[Entry]


class Host(Struct, kw_only=True):
    """A provider of ours: an address, and accounts there that are worth the same."""

    name: str
    accounts: list[Account]

    @property
    def first(self) -> Entry:
        """The entry that it was first seen in."""
        return self.accounts[0].entries[0]

    @property
    def entries(self) -> Iterator[Entry]:
        """All of them."""
        return (entry for account in self.accounts for entry in account.entries)


def hosts_of(entries: Iterable[Entry]) -> Sequence[Host]:
    """The providers, by names that stay the same as long as the file does."""
    pools: dict[tuple[object, ...], list[Account]] = {}
    for account in _accounts(entries):
        first = account.entries[0]
        work = None if account.secret is None else tuple(sorted(map(repr, map(_work, account.entries))))
        pools.setdefault((*_place(first), work), []).append(account)
    counts: dict[str, int] = {}
    hosts = []
    for accounts in pools.values():
        label = accounts[0].entries[0].target.label
        counts[label] = counts.get(label, 0) + 1
        hosts.append(Host(name=label, accounts=accounts))
    taken = set(counts)
    seen: set[str] = set()
    for host in hosts:
        host.name = _unused(host.name, seen, taken)
        seen.add(host.name)
    return hosts


def providers_section(hosts: Iterable[Host]) -> dict[str, dict[str, Any]]:
    """The providers as our file says them; secrets stay sealed until the text is written."""
    return {host.name: _provider(host) for host in hosts}


def _accounts(entries: Iterable[Entry]) -> Iterable[Account]:
    accounts: dict[tuple[object, ...], Account] = {}
    for entry in entries:
        place = (*_place(entry), entry.secret)
        accounts.setdefault(place, Account(secret=entry.secret, entries=[])).entries.append(entry)
    return accounts.values()


def _place(entry: Entry) -> tuple[object, ...]:
    target = entry.target
    return (target.host.name, target.base_url, entry.headers, entry.waits)


def _work(entry: Entry) -> tuple[object, ...]:
    info = entry.info
    return (
        entry.name,
        entry.target.upstream,
        entry.region,
        entry.order,
        entry.weight,
        entry.parallel,
        info.blocked,
    )


def _unused(label: str, seen: set[str], labels: set[str]) -> str:
    name, number = label, 1
    while name in seen or (number > 1 and name in labels):
        number += 1
        name = f"{label}-{number}"
    return name


def _provider(host: Host) -> dict[str, Any]:
    first = host.first
    section: dict[str, Any] = {"wire": first.target.host.wire}
    if first.target.base_url:
        section["base_url"] = first.target.base_url
    if first.headers:
        section["headers"] = dict(first.headers)
    if first.waits.section:
        section["timeout"] = first.waits.section
    keys = [_key(account, number) for number, account in enumerate(host.accounts, start=1)]
    return section | ({"keys": keys} if first.secret is not None else {})


def _key(account: Account, number: int) -> dict[str, Any]:
    limits = {
        word: _limit([getattr(entry, word) for entry in account.entries], account.secret is not None)
        for word in ("rpm", "tpm")
    }
    given: Mapping[str, Any] = {word: limit for word, limit in limits.items() if limit is not None}
    return {"name": "main" if number == 1 else f"key-{number}", "secret": account.secret, **given}


def _limit(parts: Sequence[Part], has_key: bool) -> int | None:
    """A key's limit of those that its models have."""
    given = {id(part): part.whole(least=1) for part in parts if not part.says_nothing}
    amounts = [amount for amount in given.values() if amount is not None]
    if not amounts:
        return None
    reason = "" if has_key and len(amounts) == len(parts) else _PARTLY if has_key else _KEYLESS
    for part in parts:
        if reason:
            part.leave(reason)
        elif len(parts) > 1:
            part.change(_SUMMED)
    return None if reason else min(sum(amounts), _MOST)
