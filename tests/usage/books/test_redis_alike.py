"""Whatever is ordered in whatever order: the books on Redis say and count what those in memory do."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from redis import Redis

from gateway.accounts import Account, Hold, Order, Renewal, Settlement
from gateway.memory import MemoryBooks
from tests.support.clock import FakeClock
from tests.support.engine import make_account, make_entry, make_hold
from tests.usage.books.conftest import forget_books
from tests.usage.books.shops import Ledger, RedisShop, TallyShop, make_ready
from usage.books.redis import RedisBooks

TENANTS = (UUID(int=3), UUID(int=4))
LEASE_MS = 60_000


def _accounts(tenant: UUID) -> tuple[Account, ...]:
    shapes: list[dict[str, Any]] = [
        {"unit": "nano", "limit": 2_000},
        {"unit": "nano", "limit": 1_500, "window": "day", "zone": "Europe/Berlin"},
        {"unit": "nano", "limit": 100, "window": "month", "hard": False},
        {"unit": "requests", "limit": 6, "window": "minute", "cooldown_ms": 20_000},
        {"unit": "requests", "limit": 3, "window": "second", "length_ms": 5_000},
        {"unit": "requests", "limit": 40, "window": "week"},
        {"unit": "tokens", "limit": 900, "window": "hour"},
        {"unit": "concurrency", "limit": 3, "window": "none"},
    ]
    return tuple(make_account(id=f"{tenant}:{place}", **shape) for place, shape in enumerate(shapes))


ACCOUNTS = {tenant: _accounts(tenant) for tenant in TENANTS}

nanos = st.integers(0, 700)
tokens = st.integers(1, 200)
picks = st.integers(0, 1 << 16)
pauses = st.sampled_from([0, 0.004, 1, 6, 21, 30, 61, 3_600, 40_000, 86_400])


class Twins(RuleBasedStateMachine):
    """Drives both kinds of books."""

    url: str
    client: Redis

    def __init__(self) -> None:
        super().__init__()
        forget_books(self.client)
        self.clock = FakeClock()
        self.memory = TallyShop(MemoryBooks(self.clock, lease_ms=LEASE_MS), self.clock)  # type: ignore[arg-type]
        ledger = Ledger()
        books = RedisBooks(
            self.url,
            sums=ledger.sums,
            is_blank=ledger.is_blank,
            in_ledger=ledger.holds,
            clock=self.clock,
            lease_ms=LEASE_MS,
            rebuild_ms=0,
        )
        self.redis = RedisShop(books, self.client, self.clock)
        self.runner = asyncio.Runner()
        self.runner.run(books.open())
        self.runner.run(make_ready(books))
        self.calls: list[Hold] = []
        self.admitted: dict[UUID, float] = {}
        self.settled: set[UUID] = set()

    def teardown(self) -> None:
        self.runner.run(self.redis.books.close())
        self.runner.close()

    def post(self, orders: Sequence[Order]) -> None:
        expected = self.runner.run(self.memory.books.post(orders))
        assert list(self.runner.run(self.redis.books.post(orders))) == list(expected)

    @rule(tenants=st.lists(st.sampled_from(TENANTS), min_size=1, max_size=6), nano=nanos, tokens=tokens)
    def admit(self, tenants: list[UUID], nano: int, tokens: int) -> None:
        holds = [_hold(tenant, nano=nano, tokens=tokens) for tenant in tenants]
        self.calls += holds
        self.admitted |= dict.fromkeys([hold.id for hold in holds], self.clock.now())
        self.post(holds)

    @precondition(lambda self: self.calls)
    @rule(pick=picks, nano=nanos, tokens=tokens)
    def raise_or_repeat(self, pick: int, nano: int, tokens: int) -> None:
        known = self.calls[pick % len(self.calls)]
        if known.id not in self.settled and self.is_remembered(known):
            self.post([_hold(known.skeleton.tenant_id, known.id, nano=nano, tokens=tokens)])

    @precondition(lambda self: self.calls)
    @rule(several=st.lists(picks, min_size=1, max_size=4), nano=nanos, tokens=tokens)
    def settle(self, several: list[int], nano: int, tokens: int) -> None:
        """Settle open calls, swept ones, refused ones, and those that were settled before."""
        picked = [self.calls[pick % len(self.calls)] for pick in several]
        self.post([self.settlement(hold, nano, tokens) for hold in picked if self.is_remembered(hold)])

    def is_remembered(self, hold: Hold) -> bool:
        """Whether it may still be known as swept: later, whoever settles looks into the ledger first."""
        return hold.id in self.settled or self.clock.now() - self.admitted[hold.id] < 86_400

    def settlement(self, hold: Hold, nano: int, tokens: int) -> Settlement:
        self.settled.add(hold.id)
        entry = replace(make_entry(nano, hold.id), tenant_id=hold.skeleton.tenant_id)
        return Settlement(hold=hold, entry=entry, tokens=tokens)

    @precondition(lambda self: self.calls)
    @rule(pick=picks)
    def renew(self, pick: int) -> None:
        hold = self.calls[pick % len(self.calls)]
        self.post([Renewal(id=hold.id, tenant_id=hold.skeleton.tenant_id)])

    @rule(pause=pauses)
    def pass_time(self, pause: float) -> None:
        self.clock.advance(pause)

    @rule()
    def sweep(self) -> None:
        assert self.runner.run(self.redis.books.sweep()) == self.runner.run(self.memory.books.sweep())

    @invariant()
    def entries_are_the_same(self) -> None:
        told = self.runner.run(self.redis.rows())
        assert _without_ids(told) == _without_ids(self.runner.run(self.memory.rows()))
        assert len(told) == len(self.redis.lines())
        assert self.redis.open_holds() == self.memory.open_holds()

    @invariant()
    def counters_are_the_same(self) -> None:
        now_ms = round(self.clock.now() * 1000)
        counters = self.memory.books.tally.counters
        for account in (one for accounts in ACCOUNTS.values() for one in accounts):
            found, expected = self.redis.windows(account), self.memory.windows(account)
            for start, counts in expected.items():
                is_over = counters[account.id, start].ends_ms <= now_ms
                if not is_over or (account.window in ("day", "week", "month")):
                    assert found.get(start, (0, 0)) == counts


def _hold(tenant: UUID, identifier: UUID | None = None, **amounts: int) -> Hold:
    hold = make_hold(*ACCOUNTS[tenant], identifier=identifier, **amounts)
    return replace(hold, skeleton=replace(hold.skeleton, tenant_id=tenant))


def _without_ids(rows: Sequence[Any]) -> list[Any]:
    """Corrections get ids of their own."""
    return sorted((row[0] if row[3] is None else row[3], *row[1:]) for row in rows)


@pytest.mark.slow
def test_books_on_redis_are_like_those_in_memory(redis: Redis, redis_url: str) -> None:
    run_state_machine_as_test(
        type("TwinsHere", (Twins,), {"url": redis_url, "client": redis}),
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes against a server
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
