"""Who may still spend what."""

import pytest

from gateway.accounts import Account, Amounts, Hold, Settlement
from gateway.tally import Counter, Tally
from tests.support.engine import (
    make_account,
    make_entry,
    make_hold,
)

NOON = 1_767_268_800_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BUDGET = make_account("nano", limit=1_000)
CALLS = make_account("requests", limit=3, window="minute")


def _admit(tally: Tally, *accounts: Account, at: int = NOON, **amounts: int) -> bool:
    return tally.admit(make_hold(*accounts, identifier=None, **amounts), at).refusal is None


def _settle(tally: Tally, hold: Hold, nano: int = 0, tokens: int = 0, at: int = NOON) -> None:
    tally.settle(Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=tokens), at)


def _counts(tally: Tally) -> dict[tuple[str, int], tuple[int, int]]:
    return {key: (one.spent, one.held) for key, one in tally.counters.items()}


def test_exactly_the_limit_is_admitted_and_not_one_more() -> None:
    tally = Tally()
    assert [_admit(tally, CALLS, at=NOON + second) for second in range(4)] == [True, True, True, False]


def test_money_is_admitted_to_the_last_nano_dollar() -> None:
    tally = Tally()
    assert _admit(tally, BUDGET, nano=999)
    assert not _admit(tally, BUDGET, nano=2)
    assert _admit(tally, BUDGET, nano=1)
    assert not _admit(tally, BUDGET, nano=1)
    assert _admit(tally, BUDGET, nano=0)


def test_all_accounts_or_none() -> None:
    tally = Tally()
    assert not _admit(tally, CALLS, BUDGET, nano=1_001)
    assert {held for _, held in _counts(tally).values()} == {0}


def test_a_soft_account_counts_and_refuses_nobody() -> None:
    tally = Tally()
    soft = make_account("nano", limit=10, hard=False)
    assert _admit(tally, soft, nano=1_000)
    assert [held for _, held in _counts(tally).values()] == [1_000]


def test_a_rate_runs_from_the_first_call() -> None:
    tally = Tally()
    for _ in range(3):
        assert _admit(tally, CALLS, at=NOON + 59_000)
    assert not _admit(tally, CALLS, at=NOON + 59_000 + MINUTE - 1)
    assert _admit(tally, CALLS, at=NOON + 59_000 + MINUTE)


def test_a_burst_is_a_second_shorter_limit() -> None:
    tally = Tally()
    burst = make_account("requests", limit=2, window="second", length_ms=10_000, id="burst")
    wide = make_account("requests", limit=100, window="minute")
    taken = [_admit(tally, wide, burst, at=NOON + at) for at in (0, 1, 2, 9_999, 10_000, 10_001, 10_002)]
    assert taken == [True, True, False, False, True, True, False]


def test_a_refusal_says_when_the_window_turns() -> None:
    tally = Tally()
    for _ in range(3):
        _admit(tally, CALLS)
    refusal = tally.admit(make_hold(CALLS), NOON + 45_000).refusal
    assert refusal is not None
    assert (refusal.account, refusal.retry_ms) == (CALLS, 15_000)


def test_after_a_refusal_an_account_cools_down() -> None:
    tally = Tally()
    account = make_account("requests", limit=1, window="second", cooldown_ms=30_000)
    assert _admit(tally, account)
    assert not _admit(tally, account, at=NOON + 500)
    refusal = tally.admit(make_hold(account), NOON + 5_500).refusal
    assert refusal is not None
    assert refusal.retry_ms == 25_000
    assert _admit(tally, account, at=NOON + 30_500)


def test_a_call_that_takes_nothing_passes_a_spent_account_while_another_cools_down() -> None:
    tally = Tally()
    cooling = make_account("requests", limit=0, cooldown_ms=30_000)
    hold = make_hold(BUDGET, nano=1_000)
    tally.admit(hold, NOON)
    _settle(tally, hold, nano=1_500)
    assert not _admit(tally, cooling)
    assert _admit(tally, BUDGET, nano=0)


def test_a_refusal_says_what_would_have_been_granted() -> None:
    tally = Tally()
    tally.admit(make_hold(BUDGET, nano=600), NOON)
    refusal = tally.admit(make_hold(BUDGET, nano=401), NOON).refusal
    assert refusal is not None
    assert refusal.remaining == 400
    assert _admit(tally, BUDGET, nano=400)


def test_a_cooldown_tells_its_whole_length_at_once() -> None:
    tally = Tally()
    account = make_account("concurrency", limit=1, window="none", cooldown_ms=30_000)
    _admit(tally, account)
    refusal = tally.admit(make_hold(account), NOON).refusal
    assert refusal is not None
    assert refusal.retry_ms == 30_000


def test_a_call_that_was_admitted_before_goes_on_while_its_account_cools_down() -> None:
    tally = Tally()
    account = make_account("requests", limit=1, window="minute", cooldown_ms=MINUTE)
    hold = make_hold(account, BUDGET, nano=10)
    tally.admit(hold, NOON)
    assert not _admit(tally, account)
    raised = make_hold(account, BUDGET, identifier=hold.id, nano=20)
    assert tally.admit(raised, NOON).refusal is None


def test_a_place_is_free_again_when_the_call_is_settled() -> None:
    tally = Tally()
    places = make_account("concurrency", limit=1, window="none")
    hold = make_hold(places)
    tally.admit(hold, NOON)
    assert not _admit(tally, places)
    _settle(tally, hold)
    assert _admit(tally, places)


def test_a_call_is_charged_to_the_window_that_it_began_in() -> None:
    tally = Tally()
    daily = make_account("nano", limit=1_000, window="day")
    hold = make_hold(daily, nano=900)
    tally.admit(hold, NOON)
    assert _admit(tally, daily, nano=1_000, at=NOON + DAY)
    _settle(tally, hold, nano=500, at=NOON + DAY)
    midnight = NOON - 12 * HOUR
    assert _counts(tally) == {(daily.id, midnight): (500, 0), (daily.id, midnight + DAY): (0, 1_000)}


def test_a_raise_stays_in_the_window_of_its_hold() -> None:
    tally = Tally()
    daily = make_account("nano", limit=1_000, window="day")
    hold = make_hold(daily, nano=400)
    tally.admit(hold, NOON)
    tally.admit(make_hold(daily, identifier=hold.id, nano=800), NOON + DAY)
    midnight = NOON - 12 * HOUR
    assert _counts(tally)[daily.id, midnight] == (0, 800)


def test_a_raise_is_measured_where_the_hold_sits() -> None:
    tally = Tally()
    daily = make_account("nano", limit=1_000, window="day")
    hold = make_hold(daily, nano=900)
    tally.admit(hold, NOON)
    assert _admit(tally, daily, nano=100, at=NOON + DAY)
    refusal = tally.admit(make_hold(daily, identifier=hold.id, nano=1_800), NOON + DAY).refusal
    assert refusal is not None
    assert refusal.account == daily


def test_a_hold_repeated_with_less_stays_what_it_was() -> None:
    tally = Tally(lease_ms=MINUTE)
    hold = make_hold(BUDGET, nano=400)
    tally.admit(hold, NOON)
    tally.admit(make_hold(BUDGET, identifier=hold.id, nano=100), NOON)
    (held,) = tally.expire(NOON + MINUTE)
    assert (held.skeleton.charge_nano, _counts(tally)) == (400, {(BUDGET.id, 0): (400, 0)})


def test_a_lease_ends_unless_it_is_renewed() -> None:
    tally = Tally(lease_ms=MINUTE)
    hold = make_hold(BUDGET, nano=10)
    tally.admit(hold, NOON)
    tally.renew(hold.id, NOON + 50_000)
    assert tally.expire(NOON + 100_000) == []
    assert [held.id for held in tally.expire(NOON + 110_000)] == [hold.id]
    assert tally.renew(hold.id, NOON + 110_000) is None


def test_old_windows_are_forgotten_but_not_under_an_open_call() -> None:
    tally = Tally(lease_ms=MINUTE)
    hold = make_hold(CALLS, nano=0)
    tally.admit(hold, NOON)
    later = NOON + 20 * MINUTE
    assert tally.forget(later) == ([], [])
    tally.admit(make_hold(CALLS, identifier=hold.id, tokens=5), later)
    _settle(tally, hold, at=later)
    counters, _ = tally.forget(later)
    assert [(one.share.start_ms, one.held) for one in counters] == [(NOON, 0)]


def test_a_long_call_may_be_raised_after_its_window_was_forgotten() -> None:
    tally = Tally(lease_ms=MINUTE)
    calls = make_account("tokens", limit=100, window="minute")
    hold = make_hold(calls)
    tally.admit(hold, NOON)
    tally.forget(NOON + 20 * MINUTE)
    assert tally.admit(make_hold(calls, identifier=hold.id, tokens=5), NOON + 20 * MINUTE).refusal is None


def test_a_swept_hold_is_remembered_for_a_day() -> None:
    tally = Tally(lease_ms=MINUTE)
    hold = make_hold(BUDGET, nano=10)
    tally.admit(hold, NOON)
    tally.expire(NOON + MINUTE)
    tally.forget(NOON + MINUTE + DAY)
    assert hold.id in tally.swept
    assert tally.forget(NOON + 2 * MINUTE + DAY)[1] == [hold.id]


def test_a_correction_turns_the_bound_into_what_really_happened() -> None:
    tally = Tally(lease_ms=MINUTE)
    hold = make_hold(BUDGET, nano=400)
    tally.admit(hold, NOON)
    tally.expire(NOON + MINUTE)
    entry = make_entry(150, hold.id)
    correction = tally.settle(Settlement(hold=hold, entry=entry, tokens=0), NOON + HOUR).entry
    assert correction.id != hold.id
    assert (correction.corrects, correction.at_ms) == (hold.id, NOON + HOUR)
    assert (correction.cost_nano, correction.charge_nano) == (-250, -250)
    assert [line.charge_nano for line in correction.lines] == [150, -400]


@pytest.mark.parametrize("when", [NOON + 1, NOON + DAY])
def test_what_was_kept_is_taken_up_again(when: int) -> None:
    tally = Tally()
    settled, open_ = make_hold(BUDGET, CALLS, nano=300), make_hold(BUDGET, CALLS, nano=200)
    for hold in (settled, open_):
        tally.admit(hold, NOON)
    _settle(tally, settled, nano=100)
    fresh = Tally()
    counters = [Counter(one.share, one.spent) for one in tally.counters.values()]
    fresh.restore(counters, tally.holds.values(), tally.swept.values())
    assert _counts(fresh) == _counts(tally)
    assert _admit(fresh, BUDGET, nano=701, at=when) is _admit(tally, BUDGET, nano=701, at=when) is False
    assert fresh.holds[open_.id].amounts == Amounts(requests=1, concurrency=1, nano=200)


def test_the_tightest_quota_of_each_kind_is_told() -> None:
    tally = Tally()
    tight = make_account("requests", limit=2, window="minute", id="key")
    wide = make_account("requests", limit=10, window="hour", id="tenant")
    tokens = make_account("tokens", limit=100, window="day", zone="UTC")
    rates = tally.admit(make_hold(wide, tight, tokens, BUDGET, tokens=30), NOON).rates
    assert [(rate.unit, rate.limit, rate.remaining, rate.reset_ms) for rate in rates] == [
        ("requests", 2, 1, MINUTE),
        ("tokens", 100, 70, 12 * HOUR),
    ]
