"""The price book's rows as the cards that the engine prices with. Pure: rows in, cards out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

from gateway.patterns import matches
from gateway.pricing import Price, PriceCard, Sheet, make_sheet


class PriceRow(Struct, frozen=True, kw_only=True):
    """A row of the price book."""

    row: int
    provider_id: UUID | None
    model: str
    tenant_id: UUID | None
    side: str
    meter: str
    pico: int
    context_above: int
    service_tier: str
    region: str
    valid_from_ms: int
    valid_until_ms: int | None


def build_cards(
    rows: Iterable[PriceRow], *, provider_id: UUID, model: str, region: str, now_ms: int
) -> tuple[PriceCard, ...]:
    """The cards of a deployment from now on: one for each stretch of time in which no price changes."""
    fitting = [row for row in rows if _fits(row, provider_id, model, region) and _still_counts(row, now_ms)]
    edges = {now_ms} | {row.valid_from_ms for row in fitting} | {row.valid_until_ms or 0 for row in fitting}
    starts = sorted(edge for edge in edges if edge >= now_ms)
    cards = []
    for index, start_ms in enumerate(starts):
        until_ms = starts[index + 1] if index + 1 < len(starts) else None
        valid = [row for row in fitting if _covers(row, start_ms)]
        if any(row.side == "cost" for row in valid):
            cards.append(_card(valid, start_ms if index else 0, until_ms))
    return tuple(cards)


def milliseconds(moment: datetime) -> int:
    """A moment as the engine counts it."""
    return round(moment.timestamp() * 1000)


def _card(rows: Sequence[PriceRow], from_ms: int, until_ms: int | None) -> PriceCard:
    everyone = [row for row in rows if row.tenant_id is None]
    tenants = {row.tenant_id for row in rows if row.tenant_id is not None and row.side == "sell"}
    numbers = ",".join(str(number) for number in sorted(row.row for row in rows))
    return PriceCard(
        version=sha256(numbers.encode()).hexdigest()[:16],
        sheets=_sheets([row for row in everyone if row.side == "cost"]),
        sell=_sheets([row for row in everyone if row.side == "sell"]),
        own_sell={
            tenant: _sheets([row for row in rows if row.side == "sell" and row.tenant_id in (None, tenant)])
            for tenant in tenants
        },
        valid_from_ms=from_ms,
        valid_until_ms=until_ms,
    )


def _sheets(rows: Sequence[PriceRow]) -> tuple[Sheet, ...]:
    """A sheet for each context tier of each service tier, highest context first."""
    conditions = sorted({(row.context_above, row.service_tier) for row in rows}, reverse=True)
    return tuple(
        make_sheet(_prices(rows, context, tier), context_above=context, service_tier=tier)
        for context, tier in conditions
    )


def _prices(rows: Iterable[PriceRow], context: int, tier: str) -> dict[str, Price]:
    """For each meter its most particular row under these conditions."""
    best: dict[str, PriceRow] = {}
    for row in rows:
        if row.context_above > context or row.service_tier not in ("", tier):
            continue
        found = best.get(row.meter)
        if found is None or _particular(row) > _particular(found):
            best[row.meter] = row
    return {meter: Price(pico=row.pico, row=row.row) for meter, row in best.items()}


def _particular(row: PriceRow) -> tuple[bool, bool, int, bool, bool, int, bool]:
    """A tenant's own row comes before everyone's; what it leaves open, everyone's price list says."""
    return (
        row.tenant_id is not None,
        bool(row.service_tier),
        row.context_above,
        row.provider_id is not None,
        "*" not in row.model,
        len(row.model),
        bool(row.region),
    )


def _fits(row: PriceRow, provider_id: UUID, model: str, region: str) -> bool:
    own = row.provider_id in (None, provider_id) and row.region in ("", region)
    return own and matches(row.model, model)


def _still_counts(row: PriceRow, now_ms: int) -> bool:
    return row.valid_until_ms is None or row.valid_until_ms > now_ms


def _covers(row: PriceRow, at_ms: int) -> bool:
    return row.valid_from_ms <= at_ms and (row.valid_until_ms is None or at_ms < row.valid_until_ms)
