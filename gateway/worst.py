"""The most that a call can be charged by a price card, whatever sheet applies and whatever meter is met."""

from collections.abc import Iterable, Mapping, Sequence

from gateway.pricing import BASIS_POINTS, PICO_PER_NANO, PriceCard, Sheet, Terms, sell_sheets

NOTHING: Mapping[str, int] = {}


def worst_charge(
    card: PriceCard,
    terms: Terms,
    input_bound: int | None,
    output_bound: int | None,
    *,
    besides: Mapping[str, int] = NOTHING,
    tier: str | None = None,
) -> int | None:
    """No call within these bounds is charged more, and none costs more; None where it has no end.

    `besides` has what is no token, by meter. A class of service that was not asked for may be given
    all the same, unless the call names another in `tier`.
    """
    with_markup = BASIS_POINTS + max(0, terms.markup_bps)
    sell = sell_sheets(card, terms)
    if sell or besides or tier is not None or input_bound is None or output_bound is None:
        rates = [
            *_rates(card.sheets, with_markup, input_bound, besides, tier),
            *_rates(sell, BASIS_POINTS, input_bound, besides, tier),
        ]
        worst = _at_dearest(rates, (input_bound, output_bound, 1, *besides.values()))
    else:
        worst = _worst_pico(card.sheets, input_bound, output_bound) * with_markup
    return None if worst is None else -(-worst // (PICO_PER_NANO * BASIS_POINTS))


def _worst_pico(sheets: Sequence[Sheet], input_bound: int, output_bound: int) -> int:
    worst = 0
    for sheet in sheets:
        if not sheet.context_above or input_bound > sheet.context_above:
            pico = input_bound * sheet.dearest_input + output_bound * sheet.dearest_output + sheet.fee
            if pico > worst:
                worst = pico
    return worst


def _rates(
    sheets: Iterable[Sheet], factor: int, input_bound: int | None, besides: Iterable[str], tier: str | None
) -> Iterable[tuple[int, ...]]:
    """Of each sheet that may apply, the prices of input, output, the request, and what is beside them."""
    for sheet in sheets:
        reached = input_bound is None or not sheet.context_above or input_bound > sheet.context_above
        if reached and (tier is None or sheet.service_tier in ("", tier)):
            picos = (sheet.prices[meter].pico if meter in sheet.prices else 0 for meter in besides)
            yield tuple(
                pico * factor for pico in (sheet.dearest_input, sheet.dearest_output, sheet.fee, *picos)
            )


def _at_dearest(rates: Sequence[tuple[int, ...]], units: Sequence[int | None]) -> int | None:
    """Each unit at its dearest: one meter may be sold by a price list and the next one by its cost."""
    worst = 0
    if not rates:
        return worst
    for dearest, count in zip(map(max, zip(*rates, strict=True)), units, strict=True):
        if dearest and count is None:
            return None
        worst += dearest * (count or 0)
    return worst
