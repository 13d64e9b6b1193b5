"""Entries of one name as one model, with its deployments and prices."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from msgspec.structs import replace

from providers.litellm_import.accounts import Host
from providers.litellm_import.entries import Entry, Waits
from providers.litellm_import.findings import Part

_MOST = 2**31 - 1
_FINEST = 10_000
_LARGEST = "a model has one size here, and another of its deployments says a larger one"


Groups = Mapping[str, Sequence[Entry]]


def waits_shared(groups: Groups, usual: Waits) -> tuple[Groups, dict[str, Waits]]:
    """The waits that all deployments of a model have are the model's; others are those of its providers."""
    shared = {}
    settled = {}
    for name, entries in groups.items():
        waits = {entry.waits for entry in entries}
        if len(waits) == 1:
            shared[name] = waits.pop()
        settled[name] = [replace(entry, waits=_waits(entry, usual, name in shared)) for entry in entries]
    return settled, shared


def models_section(
    groups: Groups, hosts: Iterable[Host], waits: Mapping[str, Waits]
) -> dict[str, dict[str, Any]]:
    """The models as our file says them."""
    places = {id(entry): host.name for host in hosts for entry in host.entries}
    models = {name: _model(group, places) for name, group in groups.items()}
    for name, one in waits.items():
        if one.section:
            models[name]["timeout"] = one.section
    return models


def prices_section(hosts: Iterable[Host]) -> list[dict[str, Any]]:
    """The prices that stand with the models, one line for all meters that share their terms."""
    lines: dict[tuple[object, ...], dict[str, Any]] = {}
    for host in hosts:
        for entry in host.entries:
            for price in entry.prices:
                when = {
                    name: value
                    for name, value in (
                        ("context_above", price.of.context_above),
                        ("service_tier", price.of.service_tier),
                        ("region", entry.region),
                    )
                    if value
                }
                upstream = entry.target.upstream
                head = {"provider": host.name, "model": upstream} | ({"when": when} if when else {})
                line = lines.setdefault((host.name, upstream, *sorted(when.items(), key=str)), head)
                if line.setdefault(price.of.meter, price.dollars) != price.dollars:
                    price.part.leave(
                        "another deployment says another price for the same model at this provider"
                    )
    return list(lines.values())


def groups_of(models: Mapping[str, Sequence[Entry]]) -> dict[str, list[str]]:
    """Which models the groups mean that keys may name."""
    groups: dict[str, list[str]] = {}
    for name, entries in models.items():
        for group in dict.fromkeys(group for entry in entries for group in entry.info.groups):
            groups.setdefault(group, []).append(name)
    return groups


def weights_whole(weights: Sequence[Decimal]) -> list[int]:
    """Whole numbers in the same proportion, as small as they can be, and none of them lost."""
    shares = [Fraction(weight).limit_denominator(_FINEST) for weight in weights]
    factor = lcm(*(share.denominator for share in shares))
    whole = [int(share * factor) for share in shares]
    divisor = gcd(*whole) or 1
    largest = max(whole) // divisor
    if largest > _MOST:
        return [min(_FINEST, -(-one * _FINEST // max(whole))) for one in whole]
    return [one // divisor for one in whole]


def _waits(entry: Entry, usual: Waits, is_shared: bool) -> Waits:
    own = Waits() if is_shared else entry.waits
    return Waits(first_byte=own.first_byte or usual.first_byte, idle=own.idle or usual.idle)


def _model(entries: Sequence[Entry], places: Mapping[int, str]) -> dict[str, Any]:
    first = entries[0].info
    section: dict[str, Any] = {} if first.kind == "chat" else {"kind": first.kind}
    window = _largest([entry.info.context_window for entry in entries])
    longest = _largest([entry.info.max_output for entry in entries])
    capabilities = list(dict.fromkeys(word for entry in entries for word in entry.info.capabilities))
    sizes = {"context_window": window, "max_output_tokens": longest, "capabilities": capabilities}
    return (
        section
        | {name: value for name, value in sizes.items() if value}
        | {"deployments": _deployments(entries, places)}
    )


def _deployments(entries: Sequence[Entry], places: Mapping[int, str]) -> list[dict[str, Any]]:
    """Entries that differ in the secret alone are one deployment, with the weight of all."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry, weight in zip(entries, _weights(entries), strict=True):
        target = entry.target
        head = {"provider": places[id(entry)], "model": target.upstream}
        one = found.setdefault((head["provider"], target.upstream, entry.region), {**head, "weight": 0})
        one["weight"] = min(one["weight"] + weight, _MOST)
        if entry.order:
            one["priority"] = entry.order
        if entry.region:
            one["region"] = entry.region
        if entry.parallel:
            one["max_parallel"] = min(one.get("max_parallel", 0) + entry.parallel, _MOST)
        if entry.info.blocked:
            one["blocked"] = True
    deployments = list(found.values())
    if len(deployments) == 1 and deployments[0]["weight"]:
        del deployments[0]["weight"]
    return deployments


def _weights(entries: Sequence[Entry]) -> list[int]:
    """Weights count among deployments of one order."""
    weights = [0] * len(entries)
    for order in {entry.order for entry in entries}:
        level = [index for index, entry in enumerate(entries) if entry.order == order]
        shares = _shares([entries[index] for index in level])
        for index, weight in zip(level, weights_whole(shares), strict=True):
            weights[index] = weight
    return weights


def _shares(entries: Sequence[Entry]) -> list[Decimal]:
    """As LiteLLM has it: by weight; where nobody says one, by requests, then by tokens a minute."""
    for word in ("weight", "rpm", "tpm"):
        shares = [_share(entry, word) for entry in entries]
        if any(shares):
            return shares
    return [Decimal(1)] * len(entries)


def _share(entry: Entry, word: str) -> Decimal:
    if word == "weight":
        return entry.weight or Decimal(0)
    part: Part = getattr(entry, word)
    return Decimal(0) if part.says_nothing else Decimal(part.whole(least=1) or 0)


def _largest(parts: Sequence[Part]) -> int | None:
    """The size that holds for every deployment's worst case."""
    sizes = [(part, part.whole(least=1)) for part in parts if not part.says_nothing]
    known = [size for _, size in sizes if size is not None]
    for part, size in sizes:
        if size is not None and size != max(known):
            part.change(_LARGEST)
    return max(known, default=None)
