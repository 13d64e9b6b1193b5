"""Brings the price book up to the cost map, for the models that configured providers run.

Prices that people set, in a file or in the admin, stand above imported ones and are left alone.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from msgspec import Struct, field

from gateway.patterns import matches
from providers.cost_map import SOURCE, Figure, Listing
from providers.models import Deployment, Model, Price, Provider
from providers.prices import price_supersede
from providers.terms import PriceList, Terms, prices_listed

_FAMILIES = {
    "bedrock": ("bedrock_converse",),
    "cohere": ("cohere_chat",),
    "openai": ("text-completion-openai",),
    "codestral": ("text-completion-codestral",),
}
"""Providers that the cost map lists under a second name; others share a beginning, such as `vertex_ai-`."""


class ImportReport(Struct, kw_only=True):
    """What an import did, and what it leaves for people to decide."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    set_by_people: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    rounded: list[str] = field(default_factory=list)
    listed_as_free: list[str] = field(default_factory=list)
    without_meter: list[str] = field(default_factory=list)
    unmapped: Counter[str] = field(default_factory=Counter)
    filled: list[str] = field(default_factory=list)
    unknown_providers: list[str] = field(default_factory=list)
    unpriced: list[str] = field(default_factory=list)


def prices_import(
    *,
    listings: Sequence[Listing],
    source: str = SOURCE,
    providers: Collection[str] = (),
    theirs: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Import prices and sizes for all providers, or the named ones; a dry run takes it back.

    `theirs` tells which of the cost map's providers one of ours is, where the names differ.
    """
    report = ImportReport()
    rows = Provider.objects.filter(name__in=providers) if providers else Provider.objects.all()
    now = timezone.now()
    with transaction.atomic():
        book = prices_listed(at=now)
        for provider in rows.prefetch_related("deployments__model"):
            family = list(_family(listings, (theirs or {}).get(provider.name, provider.name)))
            if not family:
                report.unknown_providers.append(provider.name)
                continue
            _provider_import(report, provider, family, book, source, now)
            _sizes_fill(report, provider.deployments.all(), family)
        report.unpriced = _unpriced(rows, now)
        transaction.set_rollback(dry_run)
    return report


def _family(listings: Iterable[Listing], name: str) -> Iterator[Listing]:
    names = {name, *_FAMILIES.get(name, ())}
    return (one for one in listings if one.provider in names or one.provider.startswith(f"{name}-"))


def _provider_import(
    report: ImportReport,
    provider: Provider,
    family: Sequence[Listing],
    book: PriceList,
    source: str,
    now: datetime,
) -> None:
    seen: set[Terms] = set()
    for model, listing in _models(provider, family):
        report.unmapped.update(listing.unmapped)
        if not listing.figures:
            report.without_meter.append(f"{provider.name}/{model}")
        if listing.free:
            report.listed_as_free.append(f"{provider.name}/{model}")
            continue
        for figure in listing.figures:
            terms = _terms(provider, model, figure)
            if terms not in seen:
                seen.add(terms)
                _price_import(report, terms, figure, book, source, now)


def _models(provider: Provider, family: Sequence[Listing]) -> Iterator[tuple[str, Listing]]:
    """Each listed model that a deployment runs or may run, under the name that goes upstream."""
    wanted = {deployment.upstream_model for deployment in provider.deployments.all()}
    found: set[str] = set()
    for listing in sorted(family, key=lambda one: one.name != one.model):
        for name in dict.fromkeys((listing.model, listing.name)):
            plainly = name == listing.model or provider.wire == Provider.Wire.LITELLM
            reached = name in wanted or any(
                matches(pattern, name) for pattern in wanted if "*" in pattern and (plainly or pattern != "*")
            )
            if reached and name not in found:
                found.add(name)
                yield name, listing


def _terms(provider: Provider, model: str, figure: Figure) -> Terms:
    return Terms(
        provider=provider,
        model=model,
        meter=figure.meter,
        context_above=figure.context_above,
        service_tier=figure.service_tier,
    )


def _price_import(
    report: ImportReport, terms: Terms, figure: Figure, book: PriceList, source: str, now: datetime
) -> None:
    row = book.in_force.get(terms)
    if figure.rounded:
        report.rounded.append(f"{terms}: {figure.exact.normalize()} → {figure.pico} picodollars")
    if row is not None and row.pico_per_unit == figure.pico:
        report.unchanged += 1
    elif row is not None and not row.source.startswith(SOURCE):
        report.set_by_people.append(f"{terms}: {row.pico_per_unit}, listed {figure.pico} picodollars")
    elif book.is_planned(terms):
        report.planned.append(str(terms))
    else:
        price_supersede(pico_per_unit=figure.pico, source=source, at=now, **terms.parts)
        before = f"{row.pico_per_unit} → " if row else ""
        kind = report.changed if row else report.created
        kind.append(f"{terms}: {before}{figure.pico} picodollars")


def _sizes_fill(report: ImportReport, deployments: Iterable[Deployment], family: Sequence[Listing]) -> None:
    """Fill what the operator left empty; sizes that stand are never changed."""
    by_name = {one.name: one for one in family} | {one.model: one for one in reversed(family)}
    for deployment in deployments:
        model, listing = deployment.model, by_name.get(deployment.upstream_model)
        if listing is None or "*" in model.name:
            continue
        sizes = {
            column: size
            for column in ("context_window", "max_output_tokens")
            if (size := getattr(listing, column)) and getattr(model, column) is None
        }
        if sizes:
            Model.objects.filter(pk=model.pk).update(**sizes)
            told = ", ".join(f"{column} {size}" for column, size in sizes.items())
            report.filled.append(f"{model.name}: {told}")


def _unpriced(providers: Iterable[Provider], now: datetime) -> list[str]:
    """Deployments of one model for which no price holds: calls on budgets will be refused."""
    rows = [row for row in prices_listed(at=now).in_force.values() if row.side == Price.Side.COST]
    return [
        str(deployment)
        for provider in providers
        for deployment in provider.deployments.all()
        if "*" not in deployment.upstream_model and not any(_fits(row, deployment) for row in rows)
    ]


def _fits(row: Price, deployment: Deployment) -> bool:
    ours = row.provider_id in (None, deployment.provider_id) and row.region in ("", deployment.region)
    return ours and matches(row.model, deployment.upstream_model)
