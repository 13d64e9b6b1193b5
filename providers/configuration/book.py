"""Applies the prices of a file to the price book: a changed price closes its row and opens the next."""

from collections.abc import Iterator
from datetime import datetime

from django.core.exceptions import ValidationError
from msgspec import Struct, UnsetType

from providers.configuration import schema
from providers.configuration.figures import EACH, TOKENS_PER_LISTED_PRICE, dollars_of, exactly, price_whole
from providers.configuration.plan import Action, Plan
from providers.configuration.problems import path_join
from providers.configuration.rows import problems_note
from providers.cost_map import SOURCE as COST_MAP
from providers.models import Price, Provider
from providers.prices import price_close, price_supersede
from providers.terms import Terms, prices_listed
from tenants.models import Tenant

SOURCE = "configuration file"
METERS = tuple(Price.Meter.values)


class Asked(Struct, frozen=True):
    """What the file wants a price to be, and where it says so."""

    pico: int
    path: str


def prices_apply(plan: Plan, file: schema.Configuration, now: datetime) -> None:
    """Let the file's prices hold from now on; where it lists prices, others are closed or kept."""
    asked = _asked(plan, file)
    listed = prices_listed(at=now)
    for terms, wanted in asked.items():
        row = listed.in_force.get(terms)
        if row is not None and row.pico_per_unit == wanted.pico:
            plan.add(Action.UNCHANGED, str(terms))
        elif listed.is_planned(terms):
            plan.problem(wanted.path, f"a change of the {terms} is planned already, so it cannot change now")
        else:
            _price_set(plan, terms, wanted, row, now)
    if not isinstance(file.prices, UnsetType):
        others = {terms: row for terms, row in listed.in_force.items() if terms not in asked}
        _others_close(plan, others, now)


def _asked(plan: Plan, file: schema.Configuration) -> dict[Terms, Asked]:
    asked: dict[Terms, Asked] = {}
    for terms, wanted in (*_from_providers(plan, file), *_from_prices(plan, file)):
        if terms in asked:
            plan.problem(wanted.path, f"the {terms} stands at {asked[terms].path} too")
        asked[terms] = wanted
    return asked


def _from_providers(plan: Plan, file: schema.Configuration) -> Iterator[tuple[Terms, Asked]]:
    """`cost_per_token` is short for the price of any model's input and output."""
    rows = {row.name: row for row in Provider.objects.all()}
    for name, provider in (file.providers or {}).items():
        if isinstance(provider.cost_per_token, UnsetType):
            continue
        path = f"{path_join('providers', name)}.cost_per_token"
        dollars = exactly(provider.cost_per_token, TOKENS_PER_LISTED_PRICE)
        for meter in ("input", "output"):
            pico = price_whole(plan, meter=meter, dollars=dollars, path=path)
            if pico is not None and name in rows:
                yield _terms(schema.Price(model="*"), meter, rows[name], None), Asked(pico, path)


def _from_prices(plan: Plan, file: schema.Configuration) -> Iterator[tuple[Terms, Asked]]:
    providers = {row.name: row for row in Provider.objects.all()}
    tenants = {row.name: row for row in Tenant.objects.all()}
    for index, price in enumerate(file.prices or ()):
        for meter in METERS:
            dollars = getattr(price, meter)
            if isinstance(dollars, UnsetType):
                continue
            path = f"prices[{index}].{meter}"
            pico = price_whole(plan, meter=meter, dollars=dollars, path=path)
            if pico is not None:
                owner, tenant = providers.get(price.provider or ""), tenants.get(price.tenant or "")
                yield _terms(price, meter, owner, tenant), Asked(pico, path)


def _terms(price: schema.Price, meter: str, provider: Provider | None, tenant: Tenant | None) -> Terms:
    return Terms(
        provider=provider,
        model=price.model,
        tenant=tenant,
        side=price.side,
        meter=meter,
        context_above=price.when.context_above,
        service_tier=price.when.service_tier,
        region=price.when.region,
    )


def _price_set(plan: Plan, terms: Terms, wanted: Asked, row: Price | None, now: datetime) -> None:
    try:
        price_supersede(pico_per_unit=wanted.pico, source=SOURCE, at=now, **terms.parts)
    except ValidationError as error:
        problems_note(plan, error, path=wanted.path.rpartition(".")[0], words={})
        return
    before = f"{_printed(terms.meter, row.pico_per_unit)} → " if row else ""
    action = Action.CHANGED if row else Action.CREATED
    plan.add(action, str(terms), before + _printed(terms.meter, wanted.pico))


def _printed(meter: str, pico: int) -> str:
    return f"${dollars_of(meter=meter, pico=pico)}" + ("" if meter in EACH else " per million")


def _others_close(plan: Plan, rows: dict[Terms, Price], now: datetime) -> None:
    """Imported prices are the import's to close: a file seldom lists them."""
    for terms, row in rows.items():
        if row.source.startswith(COST_MAP):
            continue
        if not plan.prune:
            plan.add(Action.KEPT, str(terms), "not in the file")
        elif row.valid_until is None:
            price_close(price=row, at=now)
            plan.add(Action.REMOVED, str(terms), "it no longer holds, but stays in the book")
