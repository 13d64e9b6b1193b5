"""What belongs together goes to the same deployment, and stays there when others come."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from gateway.catalog import Deployment, Sticky
from gateway.strategies import Facts, order_equals, rendezvous
from tests.support.deployments import names_of, some_deployments
from tests.support.engine import (
    OTHER_TENANT,
    TENANT,
    make_ask,
    make_deployment,
    make_facts,
    make_model,
    make_principal,
)


def _order(deployments: Sequence[Deployment], facts: Facts) -> list[str]:
    return names_of(order_equals(deployments, make_model(*deployments, strategy="affinity"), facts))


def _conversation(topic: int, turns: int = 0) -> Facts:
    later = [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "More."}] * turns
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Topic {topic}"}]
    return make_facts(make_ask(messages=messages + later), random=Random(turns))


def test_a_conversation_stays_where_it_began() -> None:
    deployments = [make_deployment(f"p{at}") for at in range(5)]
    for topic in range(50):
        (first,) = {_order(deployments, _conversation(topic, turns))[0] for turns in range(4)}
        assert _order(deployments[::-1], _conversation(topic))[0] == first


def test_conversations_spread_by_weight() -> None:
    deployments = [make_deployment("a", weight=3), make_deployment("b"), make_deployment("c", weight=0)]
    orders = [_order(deployments, _conversation(topic)) for topic in range(1_000)]
    assert Counter(order[0] for order in orders)["a"] == pytest.approx(750, abs=60)
    assert {order[2] for order in orders} == {"c"}


@given(some.binary(min_size=1, max_size=16), some_deployments, some.integers(1, 9))
def test_a_further_deployment_moves_only_what_it_takes(
    mark: bytes, deployments: list[Deployment], weight: int
) -> None:
    added = make_deployment("added", weight=weight)
    after = rendezvous([added, *deployments], mark)
    assert [one for one in after if one is not added] == rendezvous(deployments, mark)


def test_one_deployment_more_takes_about_its_share() -> None:
    deployments = [make_deployment(f"p{at}") for at in range(4)]
    added = make_deployment("added")
    marks = [b"%d" % number for number in range(1_000)]
    moved = sum(rendezvous([*deployments, added], mark)[0] is added for mark in marks)
    assert moved == pytest.approx(200, abs=50)


def test_deployments_are_known_by_what_they_are_and_not_by_their_row() -> None:
    def found() -> list[list[str]]:
        deployments = [make_deployment(f"p{at}") for at in range(4)]
        return [names_of(rendezvous(deployments, b"%d" % number)) for number in range(20)]

    assert found() == found()


def test_tenants_with_the_same_beginning_are_apart() -> None:
    deployments = [make_deployment(f"p{at}") for at in range(8)]
    firsts = set[str]()
    for number in range(20):
        told = make_facts(principal=make_principal(tenant_id=UUID(int=number)))
        firsts.add(_order(deployments, told)[0])
    assert len(firsts) > 3


def test_without_a_beginning_weights_decide() -> None:
    deployments = [make_deployment("a", weight=3), make_deployment("b")]
    facts = make_facts(make_ask(messages=[]))
    firsts = Counter(_order(deployments, facts)[0] for _ in range(1_000))
    assert firsts["a"] == pytest.approx(750, abs=60)


def _who(sticky: Sticky, value: int) -> Facts:
    ask, principal = make_ask(f"{Random(value).random()}"), make_principal(key_id=UUID(int=value))
    if sticky != "key":
        ask = replace(ask, **{sticky: f"{sticky}-{value}"})
    return make_facts(ask, principal=principal, random=Random(value))


@pytest.mark.parametrize("sticky", ["conversation", "end_user", "key"])
def test_what_sticks_comes_before_the_strategy(sticky: Sticky) -> None:
    deployments = [make_deployment(f"p{at}", quality=at / 9) for at in range(4)]
    model = make_model(*deployments, strategy="quality", sticky=sticky)
    firsts = Counter[str]()
    for value in range(100):
        orders = {tuple(names_of(order_equals(deployments, model, _who(sticky, value)))) for _ in range(3)}
        assert len(orders) == 1
        firsts[orders.pop()[0]] += 1
    assert min(firsts[f"p{at}"] for at in range(4)) > 10


@pytest.mark.parametrize("sticky", ["end_user", "key"])
def test_who_does_not_say_goes_by_the_strategy(sticky: Sticky) -> None:
    deployments = [make_deployment(f"p{at}", quality=at / 9) for at in range(4)]
    model = make_model(*deployments, strategy="quality", sticky=sticky)
    assert names_of(order_equals(deployments, model, make_facts())) == ["p3", "p2", "p1", "p0"]


def test_no_order_depends_on_another_tenants_words() -> None:
    deployments = [make_deployment(f"p{at}") for at in range(8)]
    model = make_model(*deployments, sticky="end_user")

    def order(tenant: UUID, name: str) -> list[str]:
        told = make_facts(replace(make_ask(), end_user=name), principal=make_principal(tenant_id=tenant))
        return names_of(order_equals(deployments, model, told))

    names = [f"user-{number}" for number in range(20)]
    assert [order(TENANT, name) for name in names] != [order(OTHER_TENANT, name) for name in names]
