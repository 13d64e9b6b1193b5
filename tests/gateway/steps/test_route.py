"""Which deployments may serve whom, and in which order."""

from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from gateway.catalog import Strategy
from gateway.errors import NoProvider, NoSecureProvider, UnknownModel
from gateway.steps.route import order_deployments
from gateway.strategies import STRATEGIES
from tests.support.clock import FakeClock
from tests.support.engine import (
    BOUNDED,
    OTHER_TENANT,
    TENANT,
    Rig,
    make_card,
    make_deployment,
    make_facts,
    make_model,
    make_provider,
)
from tests.support.script import (
    completes,
)


def test_lower_priority_numbers_come_first() -> None:
    model = make_model(*(make_deployment(name, priority=at) for name, at in (("c", 2), ("a", 0), ("b", 1))))
    order = order_deployments(model, make_facts, lambda _: True)
    assert [one.provider.name for one in order] == ["a", "b", "c"]


def test_among_equals_ones_own_comes_first() -> None:
    own = make_deployment(provider=make_provider("own", tenant_id=TENANT), weight=0)
    model = make_model(make_deployment("shared", weight=1_000), own)
    assert order_deployments(model, make_facts, lambda _: True)[0] is own


def test_weights_are_shares() -> None:
    model = make_model(make_deployment("a", weight=3), make_deployment("b"), make_deployment("c", weight=0))
    facts = make_facts(random=Random(7))
    orders = [order_deployments(model, lambda: facts, lambda _: True) for _ in range(4_000)]
    first = Counter(order[0].provider.name for order in orders)
    assert first["a"] == pytest.approx(3_000, rel=0.05)
    assert first["c"] == 0
    assert {order[2].provider.name for order in orders} == {"c"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_keeps_to_priority_and_to_ones_own(strategy: Strategy) -> None:
    own = make_deployment(provider=make_provider("own", tenant_id=TENANT), quality=0.1)
    first = make_deployment("first", priority=-1, quality=0.1, cards=())
    model = make_model(
        make_deployment("idle", weight=0, quality=1.0), make_deployment("b", quality=0.9), own, first
    )
    order = order_deployments(replace(model, strategy=strategy), make_facts, lambda _: True)
    assert [one.provider.name for one in order] == ["first", "own", "b", "idle"]


async def test_the_models_strategy_decides(clock: FakeClock) -> None:
    model = make_model(
        make_deployment("dear", cards=(make_card("v1", input=9, output=9),), weight=1_000),
        make_deployment("cheap", cards=(make_card("v1", input=1, output=1),)),
    )
    rig = Rig(completes(), clock=clock, models=[replace(model, strategy="price")])
    for _ in range(3):
        await rig.run()
    assert set(rig.script.hosts) == {"cheap"}


def test_what_cannot_be_used_is_left_out() -> None:
    model = make_model(make_deployment("a"), make_deployment("b"))
    order = order_deployments(model, make_facts, lambda one: one.provider.name == "b")
    assert [one.provider.name for one in order] == ["b"]


async def test_another_tenants_provider_is_never_asked(clock: FakeClock) -> None:
    theirs = make_deployment(provider=make_provider("theirs", tenant_id=OTHER_TENANT))
    rig = Rig(completes(), clock=clock, models=[make_model(theirs, make_deployment("alpha", priority=1))])
    for _ in range(5):
        await rig.run()
    assert set(rig.script.hosts) == {"alpha"}


async def test_a_model_that_only_another_tenant_has_is_not_there(clock: FakeClock) -> None:
    theirs = make_model(make_deployment(provider=make_provider(tenant_id=OTHER_TENANT)))
    rig = Rig(completes(), clock=clock, models=[theirs], accounts=BOUNDED)
    with pytest.raises(UnknownModel):
        await rig.run()
    assert (rig.entries, rig.script.requests) == ([], [])


async def test_a_fallback_of_another_tenants_is_never_asked(clock: FakeClock) -> None:
    theirs = make_model(make_deployment(provider=make_provider(tenant_id=OTHER_TENANT)), name="theirs")
    own = make_model(
        make_deployment(provider=make_provider(wire="unheard of")), fallbacks={"any": ("theirs",)}
    )
    rig = Rig(completes(), clock=clock, models=[own, theirs], accounts=BOUNDED)
    with pytest.raises(NoProvider):
        await rig.run()
    assert (rig.script.requests, rig.entry.status) == ([], "failed")
    rig.assert_balanced()


@pytest.mark.parametrize(
    ("sensitivity", "hosts"),
    [("public", ["low"]), ("internal", ["medium"]), ("confidential", ["high"])],
)
async def test_content_goes_only_where_it_is_safe(
    sensitivity: str, hosts: list[str], clock: FakeClock
) -> None:
    levels = ("low", "medium", "high")
    deployments = [
        make_deployment(provider=make_provider(level, security=level), priority=at)
        for at, level in enumerate(levels)
    ]
    rig = Rig(completes(), clock=clock, models=[make_model(*deployments)])
    await rig.run(sensitivity=sensitivity)
    assert rig.script.hosts == hosts


async def test_confidential_content_without_a_safe_place_goes_nowhere(clock: FakeClock) -> None:
    fallback = make_model(make_deployment("spare"), name="spare")
    model = make_model(make_deployment("alpha"), fallbacks={"any": ("spare",)})
    rig = Rig(completes(), clock=clock, models=[model, fallback], accounts=BOUNDED)
    with pytest.raises(NoSecureProvider):
        await rig.run(sensitivity="confidential")
    assert (rig.script.requests, rig.entry.status, rig.entry.charge_nano) == ([], "failed", 0)
    rig.assert_balanced()
