"""Whatever happens in whatever order: counters are the sum of entries and open holds."""

from collections import Counter as Sums
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.accounts import Hold, Settlement
from gateway.entry import Entry
from gateway.tally import Counter, Tally
from tests.support.engine import (
    make_account,
    make_entry,
    make_hold,
)

BEGIN = 1_767_225_600_000
BUDGET = make_account("nano", limit=2_000)
DAILY = make_account("nano", limit=1_500, window="day")
CALLS = make_account("requests", limit=10, window="minute")
PLACES = make_account("concurrency", limit=4, window="none")
ACCOUNTS = (BUDGET, DAILY, CALLS, PLACES)

LEASE_MS = 60_000
amounts = st.integers(0, 700)
picks = st.integers(0, 1 << 16)


class TallyMachine(RuleBasedStateMachine):
    """Drives a tally, and keeps a ledger and a list of open holds beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally(lease_ms=LEASE_MS)
        self.now = BEGIN
        self.calls: list[Hold] = []
        self.open: dict[UUID, int] = {}
        self.ledger: list[Entry] = []

    @rule(nano=amounts)
    def admit(self, nano: int) -> None:
        hold = make_hold(*ACCOUNTS, nano=nano)
        if self.tally.admit(hold, self.now).refusal is None:
            self.calls.append(hold)
            self.open[hold.id] = nano

    @precondition(lambda self: self.calls)
    @rule(pick=picks, nano=amounts)
    def raise_or_repeat(self, pick: int, nano: int) -> None:
        hold = self.calls[pick % len(self.calls)]
        if hold.id not in self.open and hold.id not in self.tally.swept:
            return
        again = make_hold(*ACCOUNTS, identifier=hold.id, nano=nano)
        if self.tally.admit(again, self.now).refusal is None and hold.id in self.open:
            self.open[hold.id] = max(nano, self.open[hold.id])

    @precondition(lambda self: self.calls)
    @rule(pick=picks, nano=amounts)
    def settle(self, pick: int, nano: int) -> None:
        """Settle a call: an open one, a swept one (late) or one that was settled before."""
        hold = self.calls[pick % len(self.calls)]
        actual = min(nano, self.open.get(hold.id, nano))
        order = Settlement(hold=hold, entry=make_entry(actual, hold.id), tokens=0)
        settled = self.tally.settle(order, self.now)
        if settled.known:
            self.ledger.append(settled.entry)
            self.open.pop(hold.id, None)
        else:
            assert any(entry.id == hold.id for entry in self.ledger)

    @precondition(lambda self: self.open)
    @rule(pick=picks)
    def renew(self, pick: int) -> None:
        self.tally.renew(sorted(self.open)[pick % len(self.open)], self.now)

    @rule(seconds=st.sampled_from([0, 1, 30, 61, 3_600, 86_400]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds * 1_000
        for held in self.tally.expire(self.now):
            self.ledger.append(held.skeleton)
            assert held.skeleton.charge_nano >= 0
            del self.open[held.id]

    @rule()
    def restart(self) -> None:
        counters = [Counter(one.share, one.spent) for one in self.tally.counters.values()]
        fresh = Tally(lease_ms=LEASE_MS)
        fresh.restore(counters, self.tally.holds.values(), self.tally.swept.values())
        self.tally = fresh

    @invariant()
    def counters_are_the_sum(self) -> None:
        spent: Sums[str] = Sums()
        held: Sums[str] = Sums()
        for (account, _), counter in self.tally.counters.items():
            spent[account] += counter.spent
            held[account] += counter.held
        charged = sum(entry.charge_nano for entry in self.ledger)
        assert spent[BUDGET.id] == spent[DAILY.id] == charged
        assert held[BUDGET.id] == held[DAILY.id] == sum(self.open.values())
        assert spent[CALLS.id] == sum(entry.corrects is None for entry in self.ledger)
        assert (spent[PLACES.id], held[PLACES.id]) == (0, len(self.open))
        assert set(self.tally.holds) == set(self.open)

    @invariant()
    def every_entry_adds_up(self) -> None:
        for entry in self.ledger:
            assert sum(line.charge_nano for line in entry.lines) == entry.charge_nano

    @invariant()
    def one_entry_a_call_and_one_correction_at_most(self) -> None:
        entries = Sums(entry.id for entry in self.ledger)
        corrections = Sums(entry.corrects for entry in self.ledger if entry.corrects)
        assert set(entries.values()) | set(corrections.values()) <= {1}

    @invariant()
    def nothing_goes_beyond_its_limit(self) -> None:
        late = sum(max(0, entry.charge_nano) for entry in self.ledger if entry.corrects)
        for counter in self.tally.counters.values():
            limit = {account.id: account.limit for account in ACCOUNTS}[counter.share.account]
            assert counter.spent + counter.held <= limit + late
            assert counter.held >= 0


TestTally = TallyMachine.TestCase
TestTally.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
