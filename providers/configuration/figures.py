"""Dollars and fractions of the file to the integers of the tables, and back."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from msgspec import UnsetType

from providers.configuration.plan import Plan

TOKENS_PER_LISTED_PRICE = 1_000_000
PICO_PER_DOLLAR = 10**12
NANO_PER_DOLLAR = 10**9
MILLISECONDS = 1000
BASIS_POINTS = 10_000
LARGEST = 2**63 - 1
_LONGEST_EXPONENT = 40

EACH = frozenset({"image", "request", "search", "audio_second"})
"""Meters that price lists print by the piece; the others are printed per million tokens."""


def pico_of(*, meter: str, dollars: Decimal) -> Decimal:
    """A listed price as picodollars a unit, exact and perhaps not whole."""
    return exactly(dollars, PICO_PER_DOLLAR if meter in EACH else PICO_PER_DOLLAR // TOKENS_PER_LISTED_PRICE)


def dollars_of(*, meter: str, pico: int) -> Decimal:
    """A price as price lists print it."""
    places = 12 if meter in EACH else 6
    return plain(Decimal(pico).scaleb(-places))


def exactly(figure: Decimal, factor: int) -> Decimal:
    """A product without the default context's rounding to 28 digits."""
    with localcontext() as context:
        context.prec = 100
        return figure * factor


def rounded(figure: Decimal) -> int:
    """The nearest whole number, ties to the even one."""
    with localcontext() as context:
        context.prec = 100
        return int(figure.to_integral_value(rounding=ROUND_HALF_EVEN))


def plain(figure: Decimal) -> Decimal:
    """The same figure without trailing zeros or an exponent."""
    figure = figure.normalize()
    return (
        figure
        if not isinstance(exponent := figure.as_tuple().exponent, int) or exponent <= 0
        else figure.quantize(Decimal(1))
    )


def whole(plan: Plan, figure: Decimal, factor: int, *, path: str, unit: str) -> int:
    """A figure in its smallest unit; one that is not whole, or out of range, is a problem."""
    product = exactly(figure, factor) if _is_ordinary(figure) else Decimal(-1)
    if product != product.to_integral_value() or not 0 <= product <= LARGEST:
        plan.problem(path, f"{figure} is not a whole number of {unit} from 0 up")
        return 0
    return int(product)


def given_whole(
    plan: Plan, figure: Decimal | UnsetType | None, factor: int, *, path: str, unit: str
) -> int | UnsetType | None:
    """The same of a figure that may be left out, or cleared."""
    return whole(plan, figure, factor, path=path, unit=unit) if isinstance(figure, Decimal) else figure


def _is_ordinary(figure: Decimal) -> bool:
    """Whether there is any sense in multiplying it: signals and giant exponents would raise."""
    return figure.is_finite() and abs(figure.adjusted()) < _LONGEST_EXPONENT


def price_whole(plan: Plan, *, meter: str, dollars: Decimal, path: str) -> int | None:
    """Picodollars a unit; a fraction of one is rounded half to even, and reported."""
    pico = pico_of(meter=meter, dollars=dollars)
    if not 0 <= pico <= LARGEST:
        plan.problem(path, f"{dollars} is not a price")
        return None
    figure = rounded(pico)
    if figure != pico:
        plan.note(path, f"{plain(pico)} picodollars a unit are rounded to {figure}")
    return figure
