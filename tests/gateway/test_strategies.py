"""Each strategy orders what it is given as it says, and neither loses nor invents a deployment."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from gateway.catalog import Deployment, Sticky, Strategy
from gateway.strategies import STRATEGIES, Facts, grouped, order_equals
from gateway.vitals import Look, Reading
from tests.support.deployments import flat_card, names_of, some_deployments
from tests.support.engine import (
    make_ask,
    make_card,
    make_deployment,
    make_facts,
    make_model,
    make_provider,
)

UNSEEN = Reading()
_readings = some.builds(
    Reading,
    in_flight=some.integers(0, 9),
    first_byte=some.none() | some.floats(0.001, 60),
    misses=some.integers(0, 3),
)


def _seeing(readings: dict[str, Reading]) -> Look:
    return lambda one, _: readings.get(one.provider.name, UNSEEN)


def _order(strategy: Strategy, deployments: Sequence[Deployment], facts: Facts | None = None) -> list[str]:
    model = make_model(*deployments, strategy=strategy)
    return names_of(order_equals(deployments, model, facts or make_facts()))


def _shares(strategy: Strategy, deployments: Sequence[Deployment], **facts: Any) -> Counter[str]:
    """How often each is first of a thousand times."""
    told = make_facts(random=Random(5), **facts)
    return Counter(_order(strategy, deployments, told)[0] for _ in range(1_000))


@given(
    some.sampled_from(sorted(STRATEGIES)),
    some.sampled_from(["", "conversation", "end_user", "key"]),
    some_deployments,
    some.lists(_readings, min_size=8, max_size=8),
    some.integers(0, 99),
)
def test_an_order_is_of_what_there_was_and_chance_alone_changes_it(
    strategy: Strategy,
    sticky: Sticky,
    deployments: list[Deployment],
    readings: list[Reading],
    seed: int,
) -> None:
    look = _seeing(dict(zip(names_of(deployments), readings, strict=False)))
    model = make_model(*deployments, strategy=strategy, sticky=sticky)

    def order() -> list[Deployment]:
        return order_equals(deployments, model, make_facts(look=look, random=Random(seed)))

    assert sorted(order(), key=id) == sorted(deployments, key=id)
    assert names_of(order()) == names_of(order())


@given(some_deployments)
def test_groups_are_of_equals_and_hold_everyone(deployments: list[Deployment]) -> None:
    groups = grouped(deployments)
    assert sorted((one for group in groups for one in group), key=id) == sorted(deployments, key=id)
    assert [group[0].weight > 0 for group in groups] in ([True], [False], [True, False])
    assert all(len({one.weight > 0 for one in group}) == 1 for group in groups)


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (5, 3, 2), (90, 9, 1)])
def test_weights_are_shares_of_the_first_place(weights: tuple[int, ...]) -> None:
    deployments = [make_deployment(f"p{at}", weight=weight) for at, weight in enumerate(weights)]
    shares = _shares("weighted", deployments)
    expected = [1_000 * weight / sum(weights) for weight in weights]
    chi_square = sum((shares[f"p{at}"] - one) ** 2 / one for at, one in enumerate(expected))
    assert chi_square < 14  # one in a thousand is above, with two degrees of freedom


def test_priority_is_the_order_of_the_catalog() -> None:
    deployments = [make_deployment(name) for name in ("c", "a", "b")]
    assert _order("priority", deployments) == ["c", "a", "b"]


@given(some.lists(some.tuples(some.integers(0, 9), some.integers(1, 9)), min_size=2, max_size=6))
def test_the_least_busy_for_its_weight_is_first(busy: list[tuple[int, int]]) -> None:
    deployments = [make_deployment(f"p{at}", weight=weight) for at, (_, weight) in enumerate(busy)]
    look = _seeing({f"p{at}": Reading(in_flight=count) for at, (count, _) in enumerate(busy)})
    loads = {f"p{at}": count / weight for at, (count, weight) in enumerate(busy)}
    order = _order("least_busy", deployments, make_facts(look=look))
    assert [loads[name] for name in order] == sorted(loads.values())


def test_what_a_deployment_may_take_at_once_is_its_size() -> None:
    deployments = [
        make_deployment("small", max_parallel=2, weight=9),
        make_deployment("large", max_parallel=20),
    ]
    look = _seeing({"small": Reading(in_flight=1), "large": Reading(in_flight=5)})
    assert _order("least_busy", deployments, make_facts(look=look)) == ["large", "small"]


def test_a_full_deployment_is_last_however_large() -> None:
    deployments = [make_deployment("full", max_parallel=5, weight=100), make_deployment("unlimited")]
    look = _seeing({"full": Reading(in_flight=5), "unlimited": Reading(in_flight=50)})
    assert _order("least_busy", deployments, make_facts(look=look)) == ["unlimited", "full"]


def test_the_fastest_is_first_but_for_a_few_that_explore() -> None:
    deployments = [make_deployment("slow", weight=100), make_deployment("fast")]
    look = _seeing({"slow": Reading(first_byte=0.9), "fast": Reading(first_byte=0.3)})
    shares = _shares("latency", deployments, look=look)
    assert 20 < shares["slow"] < 90


def test_those_that_are_about_as_fast_share_the_calls() -> None:
    deployments = [make_deployment("a"), make_deployment("b"), make_deployment("c")]
    pace = {"a": Reading(first_byte=0.3), "b": Reading(first_byte=0.32), "c": Reading(first_byte=0.5)}
    shares = _shares("latency", deployments, look=_seeing(pace))
    assert min(shares["a"], shares["b"]) > 350 > 60 > shares["c"]


@pytest.mark.parametrize(
    ("new", "is_first"),
    [(UNSEEN, True), (Reading(in_flight=1), False), (Reading(misses=1), False)],
)
def test_the_unknown_is_tried_once_at_a_time_until_it_fails(new: Reading, is_first: bool) -> None:
    deployments = [make_deployment("known"), make_deployment("new")]
    look = _seeing({"known": Reading(first_byte=0.2), "new": new})
    assert (_shares("latency", deployments, look=look)["new"] > 900) is is_first


def test_the_cheapest_for_this_call_is_first() -> None:
    reads = make_deployment("reads", cards=(make_card("v1", input=1, output=100),))
    writes = make_deployment("writes", cards=(make_card("v1", input=10, output=10),))
    free_of_any = make_deployment("unpriced", cards=())
    deployments = [free_of_any, writes, reads]
    long, short = "word " * 2_000, "hi"
    assert _order("price", deployments, make_facts(make_ask(long, max_tokens=10))) == [
        "reads",
        "writes",
        "unpriced",
    ]
    assert _order("price", deployments, make_facts(make_ask(short, max_tokens=500)))[0] == "writes"


def test_prices_are_those_of_the_moment() -> None:
    today = replace(flat_card(1), valid_until_ms=1_000)
    later = replace(flat_card(9), valid_from_ms=1_000)
    deployments = [
        make_deployment("rises", cards=(today, later)),
        make_deployment("stays", cards=(flat_card(5),)),
    ]
    assert _order("price", deployments, make_facts(now_ms=999))[0] == "rises"
    assert _order("price", deployments, make_facts(now_ms=1_000))[0] == "stays"


def test_what_a_tenant_pays_counts_before_what_it_costs() -> None:
    deployments = [
        make_deployment("dear", cards=(replace(flat_card(1), sell=flat_card(9).sheets),)),
        make_deployment("cheap", cards=(replace(flat_card(2), sell=flat_card(3).sheets),)),
    ]
    assert _order("price", deployments) == ["cheap", "dear"]


def test_what_is_sold_alike_goes_where_it_costs_least() -> None:
    sold = flat_card(50).sheets
    deployments = [
        make_deployment(f"p{pico}", cards=(replace(flat_card(pico), sell=sold),)) for pico in (30, 20, 40)
    ]
    assert _order("price", deployments) == ["p20", "p30", "p40"]


def test_the_best_is_first_and_the_unjudged_last() -> None:
    judged: dict[str, float | None] = {"fair": 0.5, "unjudged": None, "good": 0.9}
    deployments = [make_deployment(name, quality=quality) for name, quality in judged.items()]
    assert _order("quality", deployments) == ["good", "fair", "unjudged"]


def test_equally_good_ones_share_by_weight() -> None:
    deployments = [make_deployment("a", quality=0.5, weight=3), make_deployment("b", quality=0.5)]
    assert _shares("quality", deployments)["a"] == pytest.approx(750, abs=60)


def test_the_most_secure_is_first() -> None:
    levels = ("medium", "low", "high")
    deployments = [make_deployment(provider=make_provider(level, security=level)) for level in levels]
    assert _order("sensitivity", deployments) == ["high", "medium", "low"]
