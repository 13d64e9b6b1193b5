"""From what a host reported to the nano-dollar, over a table of shapes that was worked out by hand."""

from itertools import chain

import msgspec
import pytest
from msgspec import Raw

from gateway.call import Usage
from gateway.metering import anthropic_usage, openai_usage
from gateway.pricing import card_at, price_usage
from tests.gateway import odd_shapes, price_shapes, usage_shapes
from tests.gateway.price_shapes import card, sheet
from tests.gateway.usage_shapes import Shape

SHAPES: list[Shape] = [
    *chain(usage_shapes.OPENAI, usage_shapes.SOUNDS_AND_PICTURES, usage_shapes.HOSTS),
    *chain(odd_shapes.ANTHROPIC, odd_shapes.UNKNOWN, odd_shapes.NONSENSE),
    *chain(price_shapes.CONTEXTS, price_shapes.TIERS, price_shapes.CONTRACTS, price_shapes.SALES),
    *chain(price_shapes.TIMES, price_shapes.ROUNDINGS),
]


def _usage(shape: Shape) -> Usage | None:
    if isinstance(shape.told, Usage):
        return shape.told
    raw = Raw(msgspec.json.encode(shape.told))
    return anthropic_usage(raw) if shape.wire == "anthropic" else openai_usage(raw, shape.kind)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_shape_comes_to_what_was_worked_out(shape: Shape) -> None:
    usage = _usage(shape)
    assert usage is not None
    cards = card(sheet(shape.prices)) if isinstance(shape.prices, dict) else shape.prices
    priced = price_usage(usage, card_at(cards, shape.at_ms), shape.terms, shape.tier)
    charge = shape.cost if shape.charge is None else shape.charge
    assert (priced.cost_nano, priced.charge_nano) == (shape.cost, charge)
    assert sum(line.cost_nano for line in priced.lines) == shape.cost
    assert sum(line.charge_nano for line in priced.lines) == charge
    assert tuple(line.meter for line in priced.lines if not line.price) == shape.unpriced
    assert usage.doubtful == shape.doubtful


def test_every_shape_has_a_name_of_its_own() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) > 100


def test_lines_take_what_rounding_leaves_by_their_remainders() -> None:
    prices = {"input": 1_400, "cache_read": 1_700, "output": 1_400}
    priced = price_usage(
        Usage(input=1, cache_read=1, output=1), card(sheet(prices))[0], price_shapes.marked_up(0)
    )
    assert [line.cost_nano for line in priced.lines] == [1, 2, 1]
