"""Among tenants that wait each gets its share of tokens; within a tenant priorities decide."""

from collections import Counter
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import given

from gateway.fairness import FairQueue
from gateway.ids import uuid7
from gateway.turns import Turn

QUANTUM = 100
SMALL_CALL = 250
"""Tokens that a short question may take."""
TENANTS = [UUID(int=number) for number in range(1, 6)]

tenants = st.sampled_from(TENANTS)
costs = st.integers(0, QUANTUM)
any_costs = st.integers(0, 50 * QUANTUM)


def _turn(tenant: UUID = TENANTS[0], tokens: int = 10, priority: int = 0) -> Turn:
    return Turn(id=uuid7(), tenant_id=tenant, tokens=tokens, priority=priority)


def _queue(*turns: Turn) -> FairQueue:
    queue = FairQueue(quantum=QUANTUM)
    for turn in turns:
        queue.add(turn)
    return queue


def _drained(queue: FairQueue) -> list[Turn]:
    taken = []
    while turn := queue.take():
        taken.append(turn)
    return taken


@given(st.lists(st.tuples(tenants, any_costs), max_size=60))
def test_everyone_goes_once_and_nothing_is_left(wishes: list[tuple[UUID, int]]) -> None:
    turns = [_turn(tenant, tokens) for tenant, tokens in wishes]
    queue = _queue(*turns)
    assert len(queue) == len(turns)
    assert {turn.id for turn in _drained(queue)} == {turn.id for turn in turns}
    assert (len(queue), queue.next()) == (0, None)
    assert not any((queue._ring, queue._credits, queue._lines))


@given(st.lists(st.lists(costs, min_size=40, max_size=40), min_size=2, max_size=5), st.integers(1, 150))
def test_over_a_busy_time_each_tenant_is_within_one_quantum_of_its_share(
    lines: list[list[int]], rounds: int
) -> None:
    queue = _queue(*(_turn(TENANTS[at], cost) for at, line in enumerate(lines) for cost in line))
    served: Counter[UUID] = Counter({TENANTS[at]: 0 for at in range(len(lines))})
    for _ in range(rounds):
        turn = queue.take()
        assert turn is not None
        served[turn.tenant_id] += turn.cost
        if not queue.waiting_of(turn.tenant_id):
            break  # from here on somebody does not wait any more
        level = min(served.values()) // QUANTUM * QUANTUM + QUANTUM
        assert all(level - QUANTUM <= tokens <= level + QUANTUM for tokens in served.values())


@given(st.lists(any_costs, min_size=1, max_size=30), st.integers(1, 10 * QUANTUM), st.integers(0, 200))
def test_nobody_starves_behind_a_tenant_that_never_stops(noise: list[int], wish: int, before: int) -> None:
    queue = _queue(*(_turn(TENANTS[0], noise[at % len(noise)]) for at in range(before + 1)))
    quiet = _turn(TENANTS[1], wish)
    queue.add(quiet)
    rounds = -(-wish // QUANTUM) + 1
    passed, at = 0, 0
    while (turn := queue.take()) is not None and turn is not quiet:
        passed += turn.cost
        queue.add(_turn(TENANTS[0], noise[at % len(noise)]))
        at += 1
    assert turn is quiet
    assert passed <= rounds * QUANTUM + max(max(noise), 1)


@given(st.lists(st.tuples(any_costs, st.integers(-3, 3)), max_size=30))
def test_a_tenant_alone_goes_by_priority_and_then_as_it_came(wishes: list[tuple[int, int]]) -> None:
    turns = [_turn(tokens=tokens, priority=priority) for tokens, priority in wishes]
    assert _drained(_queue(*turns)) == sorted(turns, key=lambda turn: -turn.priority)


@given(st.lists(st.tuples(tenants, any_costs, st.integers(-2, 2)), max_size=40))
def test_the_order_within_a_tenant_holds_beside_others(wishes: list[tuple[UUID, int, int]]) -> None:
    turns = [_turn(tenant, tokens, priority) for tenant, tokens, priority in wishes]
    taken = _drained(_queue(*turns))
    for tenant in TENANTS:
        own = [turn for turn in turns if turn.tenant_id == tenant]
        assert [turn for turn in taken if turn.tenant_id == tenant] == sorted(
            own, key=lambda turn: -turn.priority
        )


@given(st.lists(st.tuples(tenants, any_costs), min_size=1, max_size=40), st.data())
def test_asking_who_is_next_decides_nothing(wishes: list[tuple[UUID, int]], data: st.DataObject) -> None:
    turns = [_turn(tenant, tokens) for tenant, tokens in wishes]
    asked, silent = _queue(*turns), _queue(*turns)
    for _ in turns:
        for _ in range(data.draw(st.integers(0, 3))):
            asked.next()
        assert asked.take() == silent.take()


def test_who_leaves_the_line_is_passed_over() -> None:
    first, second, third = _turn(), _turn(), _turn(TENANTS[1])
    queue = _queue(first, second, third)
    assert (queue.position(second.id), queue.waiting_of(TENANTS[0])) == (2, 2)
    assert queue.remove(first.id) is first
    assert queue.remove(first.id) is None
    assert (queue.position(second.id), second.id in queue, first.id in queue) == (1, True, False)
    assert _drained(queue) == [second, third]


def test_a_tenant_that_comes_back_has_no_more_credit_than_a_new_one() -> None:
    queue = _queue(_turn(TENANTS[0], QUANTUM))
    queue.take()
    queue.add(_turn(TENANTS[1], 1))
    queue.add(_turn(TENANTS[0], 2 * QUANTUM))
    queue.add(_turn(TENANTS[1], 1))
    assert [turn.tenant_id for turn in _drained(queue)] == [TENANTS[1], TENANTS[1], TENANTS[0]]


def test_a_wish_of_a_million_is_reached_without_a_million_steps() -> None:
    queue = FairQueue(quantum=1)
    wishes = [_turn(tenant, 1 << 50) for tenant in TENANTS]
    for turn in wishes:
        queue.add(turn)
    assert _drained(queue) == wishes


def test_a_newcomer_waits_for_one_small_call_of_each_other_tenant() -> None:
    """A quantum that is worth many small calls would let them all go first."""
    queue = FairQueue()
    for tenant in TENANTS[:2]:
        for _ in range(20):
            queue.add(_turn(tenant, SMALL_CALL))
    for _ in range(4):
        queue.take()
    newcomer = _turn(TENANTS[2], SMALL_CALL)
    queue.add(newcomer)
    passed = [queue.take() for _ in range(4)]
    assert newcomer in passed[:3]
