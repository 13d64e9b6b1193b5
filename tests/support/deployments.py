"""Deployments in all shapes, for what orders them."""

from collections.abc import Sequence

from hypothesis import strategies as some

from gateway.catalog import Deployment
from gateway.pricing import PriceCard
from tests.support.engine import make_card, make_deployment


def flat_card(pico: int) -> PriceCard:
    """A token costs the same whether it is read or written."""
    return make_card("v1", input=pico, output=pico)


def names_of(deployments: Sequence[Deployment]) -> list[str]:
    """Their providers."""
    return [one.provider.name for one in deployments]


some_deployments = some.lists(
    some.builds(
        lambda at, fields: make_deployment(f"p{at}", **fields),
        some.integers(0, 99),
        some.fixed_dictionaries(
            {
                "weight": some.integers(0, 9),
                "quality": some.none() | some.floats(0, 1),
                "max_parallel": some.none() | some.integers(1, 9),
                "cards": some.just(()) | some.integers(1, 9).map(lambda pico: (flat_card(pico),)),
            }
        ),
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda one: one.provider.name,
)
