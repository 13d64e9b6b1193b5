"""What a call costs: integers from the price list to the last nano-dollar.

Prices are pico-dollars a unit, entries nano-dollars. A call is rounded once, half to even, and
its lines share that figure by largest remainder, so that lines always add up to their entry.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import astuple

from gateway.call import METERS, Usage
from gateway.entry import Line

PARENTS: Mapping[str, str] = {
    "reasoning": "output",
    "cache_read": "input",
    "cache_write_5m": "input",
    "cache_write_1h": "cache_write_5m",
    "audio_in": "input",
    "audio_out": "output",
}
"""A meter without a price of its own takes its parent's."""

_PICO_PER_NANO = 1000
_BASIS_POINTS = 10_000
_INPUT_METERS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_in")
_OUTPUT_METERS = ("output", "reasoning", "audio_out")


class Price(Struct, frozen=True, kw_only=True, gc=False):
    """A row of the price book: pico-dollars a unit, and the row's number."""

    pico: int
    row: int


class Sheet(Struct, frozen=True, kw_only=True, gc=False):
    """The prices of one context tier and service tier, parents already filled in."""

    context_above: int = 0
    service_tier: str = ""
    prices: Mapping[str, Price]
    dearest_input: int
    """The highest price that an input token can meet."""
    dearest_output: int
    fee: int


class PriceCard(Struct, frozen=True, kw_only=True, gc=False):
    """All prices of a deployment over a range of time; sheets stand from the highest context tier down."""

    version: str
    sheets: tuple[Sheet, ...]
    sell: tuple[Sheet, ...] = ()
    """What everyone pays; without it, everyone pays the cost and their mark-up."""
    own_sell: Mapping[UUID, tuple[Sheet, ...]] = {}
    """What single tenants pay instead."""
    valid_from_ms: int = 0
    valid_until_ms: int | None = None

    def covers(self, now_ms: int) -> bool:
        """Whether the card is in force."""
        return self.valid_from_ms <= now_ms and (self.valid_until_ms is None or now_ms < self.valid_until_ms)


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """A tenant's contract: whose own prices apply, and what is added to a provider's cost."""

    tenant_id: UUID | None = None
    markup_bps: int = 0


class Priced(Struct, frozen=True, kw_only=True, gc=False):
    """A usage in money."""

    cost_nano: int = 0
    charge_nano: int = 0
    lines: tuple[Line, ...] = ()


def make_sheet(prices: Mapping[str, Price], *, context_above: int = 0, service_tier: str = "") -> Sheet:
    """A sheet from the rows that stand on it."""
    filled = fill_parents(prices)

    def dearest(meters: tuple[str, ...]) -> int:
        return max((filled[meter].pico for meter in meters if meter in filled), default=0)

    return Sheet(
        context_above=context_above,
        service_tier=service_tier,
        prices=filled,
        dearest_input=dearest(_INPUT_METERS),
        dearest_output=dearest(_OUTPUT_METERS),
        fee=dearest(("request",)),
    )


def card_at(cards: Sequence[PriceCard], now_ms: int) -> PriceCard | None:
    """The card in force at a moment."""
    for card in cards:
        if card.covers(now_ms):
            return card
    return None


def sheet_for(sheets: Sequence[Sheet], prompt_tokens: int, service_tier: str = "") -> Sheet | None:
    """The sheet of a whole prompt; an unknown service tier takes the normal one."""
    plain = None
    for sheet in sheets:
        if not sheet.context_above or prompt_tokens > sheet.context_above:
            if sheet.service_tier == service_tier:
                return sheet
            if plain is None and not sheet.service_tier:
                plain = sheet
    return plain


def price_usage(usage: Usage, card: PriceCard | None, terms: Terms, service_tier: str = "") -> Priced:
    """Price a usage: provider's cost, and the charge under the tenant's contract."""
    units = [(meter, count) for meter, count in zip(METERS, astuple(usage), strict=True) if count]
    prompt = usage.prompt_tokens
    sheet = sheet_for(card.sheets, prompt, service_tier) if card is not None else None
    if card is None or sheet is None:
        return Priced(lines=tuple(_line(meter, count, None, 0, 0) for meter, count in units))
    sold = sheet_for(sell_sheets(card, terms), prompt, service_tier)
    if (sheet.fee or (sold is not None and sold.fee)) and not usage.request:
        units.append(("request", 1))
    rows = [sheet.prices.get(meter) for meter, _ in units]
    costs = [count * row.pico if row else 0 for (_, count), row in zip(units, rows, strict=True)]
    cost_nanos = charge_nanos = allocate(costs, _PICO_PER_NANO)
    if sold is not None or terms.markup_bps:
        charges = _charges(units, costs, sold, terms)
        charge_nanos = allocate(charges, _PICO_PER_NANO * _BASIS_POINTS)
    lines = tuple(
        [
            _line(meter, count, row, cost, charge)
            for (meter, count), row, cost, charge in zip(units, rows, cost_nanos, charge_nanos, strict=True)
        ]
    )
    return Priced(cost_nano=sum(cost_nanos), charge_nano=sum(charge_nanos), lines=lines)


def _charges(
    units: Sequence[tuple[str, int]], costs: Sequence[int], sell: Sheet | None, terms: Terms
) -> list[int]:
    """Pico-dollars times basis points: what is owed, before the one rounding."""
    if sell is None:
        return [cost * (_BASIS_POINTS + terms.markup_bps) for cost in costs]
    return [count * _pico(sell, meter) * _BASIS_POINTS for meter, count in units]


def sell_sheets(card: PriceCard, terms: Terms) -> tuple[Sheet, ...]:
    """The prices that these terms are charged by; empty when it is by cost."""
    return card.own_sell.get(terms.tenant_id, card.sell) if terms.tenant_id else card.sell


def worst_charge(card: PriceCard, terms: Terms, input_bound: int, output_bound: int) -> int:
    """No call within these bounds is charged more, and none costs more."""
    with_markup = _BASIS_POINTS + max(0, terms.markup_bps)
    worst = _worst_pico(card.sheets, input_bound, output_bound) * with_markup
    sell = sell_sheets(card, terms)
    if sell:
        worst = max(worst, _worst_pico(sell, input_bound, output_bound) * _BASIS_POINTS)
    return -(-worst // (_PICO_PER_NANO * _BASIS_POINTS))


def _worst_pico(sheets: Sequence[Sheet], input_bound: int, output_bound: int) -> int:
    worst = 0
    for sheet in sheets:
        if not sheet.context_above or input_bound > sheet.context_above:
            pico = input_bound * sheet.dearest_input + output_bound * sheet.dearest_output + sheet.fee
            worst = max(worst, pico)
    return worst


def allocate(parts: Sequence[int], divisor: int) -> list[int]:
    """Round the sum of `parts / divisor` once, half to even, and share it by largest remainder."""
    total = round_half_even(sum(parts), divisor)
    shares = [part // divisor for part in parts]
    missing = total - sum(shares)
    if missing:
        by_remainder = sorted(range(len(parts)), key=lambda index: (-(parts[index] % divisor), index))
        for index in by_remainder[:missing]:
            shares[index] += 1
    return shares


def round_half_even(numerator: int, divisor: int) -> int:
    """Integer division to the nearest, ties to the even neighbour."""
    quotient, remainder = divmod(numerator, divisor)
    twice = 2 * remainder
    return quotient + (twice > divisor or (twice == divisor and quotient % 2 == 1))


def fill_parents(prices: Mapping[str, Price]) -> dict[str, Price]:
    """A sheet's prices with every meter that has a priced ancestor."""
    filled = dict(prices)
    for meter in PARENTS:
        parent: str | None = meter
        while parent is not None and parent not in prices:
            parent = PARENTS.get(parent)
        if parent is not None:
            filled[meter] = prices[parent]
    return filled


def _pico(sheet: Sheet, meter: str) -> int:
    price = sheet.prices.get(meter)
    return price.pico if price else 0


def _line(meter: str, count: int, row: Price | None, cost: int, charge: int) -> Line:
    pico, number = (row.pico, row.row) if row is not None else (0, 0)
    return Line(meter=meter, units=count, pico=pico, cost_nano=cost, charge_nano=charge, price=number)
