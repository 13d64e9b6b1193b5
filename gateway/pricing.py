"""What a call costs: integers from the price list to the last nano-dollar.

Prices are pico-dollars a unit, entries nano-dollars. A call is rounded once, half to even, and
its lines share that figure by largest remainder, so that lines always add up to their entry.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

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
_INPUT_METERS = ("input", "cache_write_5m", "cache_write_1h")
_OUTPUT_METERS = ("output", "reasoning")


class Price(Struct, frozen=True, kw_only=True):
    """A row of the price book: pico-dollars a unit, and the row's number."""

    pico: int
    row: int


class Sheet(Struct, frozen=True, kw_only=True):
    """The prices of one context tier and service tier, parents already filled in."""

    context_above: int = 0
    service_tier: str = ""
    prices: Mapping[str, Price]

    def dearest_input(self) -> int:
        """The highest price an input token can meet."""
        return max((self.prices[meter].pico for meter in _INPUT_METERS if meter in self.prices), default=0)

    def dearest_output(self) -> int:
        """The highest price an output token can meet."""
        return max((self.prices[meter].pico for meter in _OUTPUT_METERS if meter in self.prices), default=0)


class PriceCard(Struct, frozen=True, kw_only=True):
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


class Terms(Struct, frozen=True, kw_only=True):
    """A tenant's contract: whose own prices apply, and what is added to a provider's cost."""

    tenant_id: UUID | None = None
    markup_bps: int = 0


class Priced(Struct, frozen=True, kw_only=True):
    """A usage in money."""

    cost_nano: int = 0
    charge_nano: int = 0
    lines: tuple[Line, ...] = ()


def card_at(cards: Sequence[PriceCard], now_ms: int) -> PriceCard | None:
    """The card in force at a moment."""
    return next((card for card in cards if card.covers(now_ms)), None)


def sheet_for(sheets: Sequence[Sheet], prompt_tokens: int, service_tier: str = "") -> Sheet | None:
    """The sheet of a whole prompt; an unknown service tier takes the normal one."""
    fitting = [sheet for sheet in sheets if not sheet.context_above or prompt_tokens > sheet.context_above]
    for wanted in (service_tier, ""):
        for sheet in fitting:
            if sheet.service_tier == wanted:
                return sheet
    return None


def price_usage(usage: Usage, card: PriceCard | None, terms: Terms, service_tier: str = "") -> Priced:
    """Price a usage: provider's cost, and the charge under the tenant's contract."""
    if card is None:
        return Priced(lines=_unpriced_lines(usage))
    prompt = usage.prompt_tokens
    cost_sheet = sheet_for(card.sheets, prompt, service_tier)
    if cost_sheet is None:
        return Priced(lines=_unpriced_lines(usage))
    sell_sheet = sheet_for(sell_sheets(card, terms), prompt, service_tier)
    units = [(meter, count) for meter in METERS if (count := getattr(usage, meter))]
    if "request" in cost_sheet.prices and not usage.request:
        units.append(("request", 1))
    prices = [cost_sheet.prices.get(meter) for meter, _ in units]
    costs = [count * price.pico if price else 0 for (_, count), price in zip(units, prices, strict=True)]
    if sell_sheet is None:
        charges = [cost * (_BASIS_POINTS + terms.markup_bps) for cost in costs]
    else:
        charges = [count * _pico(sell_sheet, meter) * _BASIS_POINTS for meter, count in units]
    cost_nanos = allocate(costs, _PICO_PER_NANO)
    charge_nanos = allocate(charges, _PICO_PER_NANO * _BASIS_POINTS)
    lines = tuple(
        Line(
            meter=meter,
            units=count,
            pico=price.pico if price else 0,
            cost_nano=cost,
            charge_nano=charge,
            price=price.row if price else 0,
        )
        for (meter, count), price, cost, charge in zip(units, prices, cost_nanos, charge_nanos, strict=True)
    )
    return Priced(cost_nano=sum(cost_nanos), charge_nano=sum(charge_nanos), lines=lines)


def sell_sheets(card: PriceCard, terms: Terms) -> tuple[Sheet, ...]:
    """The prices that these terms are charged by; empty when it is by cost."""
    return card.own_sell.get(terms.tenant_id, card.sell) if terms.tenant_id else card.sell


def worst_charge(card: PriceCard, terms: Terms, input_bound: int, output_bound: int) -> int:
    """No call within these bounds is charged more, and none costs more."""
    worst = 0
    with_markup = _BASIS_POINTS + max(0, terms.markup_bps)
    for sheets, factor in ((card.sheets, with_markup), (sell_sheets(card, terms), _BASIS_POINTS)):
        for sheet in sheets:
            if not sheet.context_above or input_bound > sheet.context_above:
                fee = sheet.prices["request"].pico if "request" in sheet.prices else 0
                pico = input_bound * sheet.dearest_input() + output_bound * sheet.dearest_output() + fee
                worst = max(worst, -(-pico * factor // (_PICO_PER_NANO * _BASIS_POINTS)))
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


def _unpriced_lines(usage: Usage) -> tuple[Line, ...]:
    return tuple(
        Line(meter=meter, units=count, pico=0, cost_nano=0, charge_nano=0, price=0)
        for meter in METERS
        if (count := getattr(usage, meter))
    )
