"""Reads the cost map that ships inside the litellm package, without importing litellm. Pure but for one file.

Its figures are dollars a unit; ours are picodollars. Its overlapping fields become our disjoint meters.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.errors import GatewayError

SOURCE = "LiteLLM cost map"
"""How the source of every imported price begins."""

_FILE = "model_prices_and_context_window_backup.json"
_SAMPLE = "sample_spec"
_PICO_PER_DOLLAR = 10**12
_TOKENS_PER_K = 1000
_SPOKEN = frozenset({"audio_transcription", "audio_speech", "realtime"})
_FIELD = re.compile(r"(.+?)(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority))?")
_TIERS = {None: "", "batches": "batch", "flex": "flex", "priority": "priority"}
_METERS = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cache_read",
    "input_cost_per_token_cache_hit": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_in",
    "output_cost_per_audio_token": "audio_out",
    "input_cost_per_image_token": "image_in",
    "output_cost_per_image_token": "image_out",
    "output_cost_per_image": "image",
    "input_cost_per_image": "image",
    "input_cost_per_request": "request",
    "input_cost_per_query": "request",
    "search_context_cost_per_query": "search",
    "input_cost_per_second": "audio_second",
    "output_cost_per_second": "audio_second",
    "input_cost_per_audio_per_second": "audio_second",
}
"""Of two fields with the same meter, the one listed first counts."""

_SECONDS = frozenset({"input_cost_per_second", "output_cost_per_second"})


class CostMapUnreadable(GatewayError):
    """The cost map cannot be read."""

    code = "cost_map_unreadable"


class PricedField(Struct, frozen=True, kw_only=True):
    """What a figure is the price of."""

    meter: str
    context_above: int | None = None
    service_tier: str = ""


class Figure(Struct, frozen=True, kw_only=True):
    """One price of a model; `exact` is in picodollars and perhaps not whole."""

    meter: str
    context_above: int | None = None
    service_tier: str = ""
    exact: Decimal

    @property
    def pico(self) -> int:
        """Whole picodollars, rounded half to even."""
        return int(self.exact.to_integral_value(rounding=ROUND_HALF_EVEN))

    @property
    def rounded(self) -> bool:
        """Whether rounding changed the figure."""
        return self.pico != self.exact


class Listing(Struct, frozen=True, kw_only=True):
    """A model of the cost map: its full name there, and its provider's own name for it."""

    name: str
    provider: str
    model: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    figures: tuple[Figure, ...] = ()
    unmapped: tuple[str, ...] = ()
    """Fields with a price that no meter of ours counts."""

    @property
    def free(self) -> bool:
        """Whether nothing in it costs anything, which for most hosts means that nobody knows."""
        return bool(self.figures) and not any(figure.exact for figure in self.figures)


def cost_map_text() -> str:
    """The cost map of the installed litellm package."""
    found = find_spec("litellm")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / _FILE
        if path.exists():
            return path.read_text(encoding="utf-8")
    raise CostMapUnreadable("The litellm package, or the cost map in it, is not installed.")


def cost_map_source() -> str:
    """What is written beside every price that is imported from the installed package."""
    return f"{SOURCE} {version('litellm')}"


def cost_map_read(text: str) -> tuple[Listing, ...]:
    """All models of a cost map that can be named here."""
    try:
        entries = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise CostMapUnreadable(f"The cost map is not JSON: {error}") from error
    if not isinstance(entries, dict):
        raise CostMapUnreadable("The cost map is not a mapping of models.")
    return tuple(
        _listing(name, entry)
        for name, entry in entries.items()
        if isinstance(entry, dict) and name != _SAMPLE and not re.search(r"[\s*]", name)
    )


def priced_field(name: str, *, spoken: bool) -> PricedField | None:
    """What a field of the cost map is the price of; None if no meter of ours counts it."""
    found = _FIELD.fullmatch(name)
    if not found or found[1] not in _METERS or (found[1] in _SECONDS and not spoken):
        return None
    above = int(found[2]) * _TOKENS_PER_K if found[2] else None
    return PricedField(meter=_METERS[found[1]], context_above=above, service_tier=_TIERS[found[3]])


def _listing(name: str, entry: Mapping[str, Any]) -> Listing:
    provider = str(entry.get("litellm_provider") or "")
    figures: dict[tuple[str, int | None, str], Figure] = {}
    for base in _METERS:
        for figure in _figures(entry, base):
            figures.setdefault((figure.meter, figure.context_above, figure.service_tier), figure)
    return Listing(
        name=name,
        provider=provider,
        model=_own_name(name, provider),
        context_window=_whole(entry.get("max_input_tokens")),
        max_output_tokens=_whole(entry.get("max_output_tokens")),
        figures=tuple(figures.values()),
        unmapped=tuple(field for field, value in entry.items() if _is_unmapped(field, value, entry)),
    )


def _own_name(name: str, provider: str) -> str:
    """The name without its first part, where that names the provider: `vertex_ai/` of `vertex_ai-…` too."""
    first, slash, rest = name.partition("/")
    return rest if slash and (first == provider or provider.startswith((f"{first}-", f"{first}_"))) else name


def _figures(entry: Mapping[str, Any], base: str) -> Iterator[Figure]:
    """The figures of one meter's field with all its suffixes, and in the tiers of a list."""
    if base in _SECONDS and entry.get("mode") not in _SPOKEN:
        return
    for field, value in entry.items():
        found = _FIELD.fullmatch(field)
        if found and found[1] == base:
            above = int(found[2]) * _TOKENS_PER_K if found[2] else None
            yield from _figure(base, value, above, _TIERS[found[3]])
    for tier in entry.get("tiered_pricing") or ():
        if base in tier and "range" in tier:
            yield from _figure(base, tier[base], int(tier["range"][0]) or None, "")


def _figure(base: str, value: object, context_above: int | None, tier: str) -> Iterator[Figure]:
    if isinstance(value, dict):
        value = value.get("search_context_size_medium")
    dollars = _dollars(value)
    if dollars is not None:
        yield Figure(
            meter=_METERS[base],
            context_above=context_above,
            service_tier=tier,
            exact=dollars * _PICO_PER_DOLLAR,
        )


def _dollars(value: object) -> Decimal | None:
    """A price, if it is one: not text, not negative."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        return None
    return Decimal(value)


def _is_unmapped(field: str, value: object, entry: Mapping[str, Any]) -> bool:
    found = _FIELD.fullmatch(field)
    base = found[1] if found else field
    if base in _METERS and not (base in _SECONDS and entry.get("mode") not in _SPOKEN):
        return False
    return "cost" in field and bool(_dollars(value))


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
