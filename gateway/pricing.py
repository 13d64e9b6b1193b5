"""What a call costs: integers from the price list to the last nano-dollar.

Prices are pico-dollars a unit, entries nano-dollars. A call is rounded once, half to even, and
its lines share that figure by largest remainder, so that lines always add up to their entry.
"""

from collections.abc import Mapping, Sequence
from itertools import compress
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
    "image_in": "input",
    "image_out": "output",
    "unknown_in": "input",
    "unknown_out": "output",
}
"""A meter without a price of its own takes its parent's."""

PICO_PER_NANO = 1000
BASIS_POINTS = 10_000
_INPUT_METERS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_in", "image_in")
_OUTPUT_METERS = ("output", "reasoning", "audio_out", "image_out")
_UNLISTED = frozenset({"unknown_in", "unknown_out"})
"""They are charged as their parents, and by no row of the price book: somebody has to look at them."""

_NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "chat": (("input",), ("output",)),
    "embedding": (("input",),),
    "image": (("image", "image_out"),),
    "speech": (("audio_second", "audio_out"),),
    "transcription": (("audio_second", "audio_in"),),
    "moderation": (("input",),),
    "rerank": (("input", "request", "search"),),
    "search": (("search",),),
}
"""What must have a price before a kind of call, or a search in it, has one: of each group, one meter."""
_OF_THEIR_OWN = frozenset({"image"})
"""Kinds that need a price of their own: what a text costs says nothing of a picture."""


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
    kinds: frozenset[str] = frozenset()
    """The kinds of calls that have a price here; none where it holds under conditions only."""

    def has_own_price(self, meter: str) -> bool:
        """Whether a meter has a row of its own, and not its parent's."""
        price = self.prices.get(meter)
        return price is not None and price != self.prices.get(PARENTS.get(meter, ""))


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

    def prices(self, kind: str) -> bool:
        """Whether this kind of call has a price, whatever its conditions."""
        return kind in self.sheets[-1].kinds


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
        kinds=frozenset() if context_above or service_tier else _priced_kinds(filled, prices),
    )


def _priced_kinds(filled: Mapping[str, Price], own: Mapping[str, Price]) -> frozenset[str]:
    return frozenset(
        kind
        for kind, needs in _NEEDS.items()
        if all(any(meter in (own if kind in _OF_THEIR_OWN else filled) for meter in group) for group in needs)
    )


def card_at(cards: Sequence[PriceCard], now_ms: int) -> PriceCard | None:
    """The card in force at a moment."""
    for card in cards:
        if card.valid_from_ms <= now_ms and (card.valid_until_ms is None or now_ms < card.valid_until_ms):
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
    values = astuple(usage)
    meters, counts = list(compress(METERS, values)), list(compress(values[:-1], values))
    prompt = usage.prompt_tokens
    sheet = sheet_for(card.sheets, prompt, service_tier) if card is not None else None
    if card is None or sheet is None:
        return Priced(lines=tuple([_line(*one, None, 0, 0) for one in zip(meters, counts, strict=True)]))
    sell = sell_sheets(card, terms)
    sold = sheet_for(sell, prompt, service_tier) if sell else None
    rows = list(map(sheet.prices.get, meters))
    fee = None if usage.request else _fee(sheet, sold)
    if fee is not None:
        meters.append("request")
        counts.append(1)
        rows.append(fee)
    costs = [count * row.pico if row else 0 for count, row in zip(counts, rows, strict=True)]
    cost_nanos = charge_nanos = allocate(costs, PICO_PER_NANO)
    if sold is not None or terms.markup_bps:
        charges = _charges(meters, counts, costs, sold, terms)
        charge_nanos = allocate(charges, PICO_PER_NANO * BASIS_POINTS)
    return Priced(
        cost_nano=sum(cost_nanos),
        charge_nano=sum(charge_nanos),
        lines=tuple(map(_line, meters, counts, rows, cost_nanos, charge_nanos)),
    )


def _fee(sheet: Sheet, sold: Sheet | None) -> Price | None:
    """The price of a request, if it has one; one that is only sold costs nothing."""
    if sheet.fee:
        return sheet.prices["request"]
    return Price(pico=0, row=sold.prices["request"].row) if sold is not None and sold.fee else None


def _charges(
    meters: Sequence[str], counts: Sequence[int], costs: Sequence[int], sell: Sheet | None, terms: Terms
) -> list[int]:
    """Pico-dollars times basis points: what is owed, before the one rounding.

    What has no sell price is charged by its cost, as everything is where there are none.
    """
    by_cost = BASIS_POINTS + terms.markup_bps
    if sell is None:
        return [cost * by_cost for cost in costs]
    prices = sell.prices
    return [
        count * prices[meter].pico * BASIS_POINTS if meter in prices else cost * by_cost
        for meter, count, cost in zip(meters, counts, costs, strict=True)
    ]


def sell_sheets(card: PriceCard, terms: Terms) -> tuple[Sheet, ...]:
    """The prices that these terms are charged by; empty when it is by cost."""
    return card.own_sell.get(terms.tenant_id, card.sell) if terms.tenant_id else card.sell


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
            price = prices[parent]
            filled[meter] = Price(pico=price.pico, row=0) if meter in _UNLISTED else price
    return filled


def _line(meter: str, count: int, row: Price | None, cost: int, charge: int) -> Line:
    pico, number = (row.pico, row.row) if row is not None else (0, 0)
    return Line(meter=meter, units=count, pico=pico, cost_nano=cost, charge_nano=charge, price=number)
