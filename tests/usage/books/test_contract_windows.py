"""When an account is whole again, whatever the books are kept in."""

from datetime import datetime
from typing import Any

import pytest

from gateway.accounts import Account, Settlement, Verdict
from tests.support.engine import make_account, make_entry, make_hold
from tests.usage.books.shops import Shop, counted

BERLIN = "Europe/Berlin"


async def _post(shop: Shop, *accounts: Account, **amounts: Any) -> Verdict:
    (verdict,) = await shop.books.post([make_hold(*accounts, **amounts)])
    return verdict


async def _is_admitted(shop: Shop, *accounts: Account) -> bool:
    return (await _post(shop, *accounts)).refusal is None


async def _wait(shop: Shop, *accounts: Account) -> int:
    refusal = (await _post(shop, *accounts)).refusal
    assert refusal is not None
    return refusal.retry_ms


def _go_to(shop: Shop, moment: str) -> None:
    shop.clock.advance(datetime.fromisoformat(moment).timestamp() - shop.clock.now())


@pytest.mark.parametrize(
    ("window", "zone", "moment", "seconds"),
    [
        ("day", BERLIN, "2026-03-29T00:30+01:00", 22.5 * 3_600),
        ("day", BERLIN, "2026-10-25T00:30+02:00", 24.5 * 3_600),
        ("day", "Asia/Kolkata", "2026-02-01T23:59:59+05:30", 1),
        ("week", BERLIN, "2026-03-27T12:00+01:00", 59 * 3_600),
        ("month", BERLIN, "2026-03-31T23:00+02:00", 3_600),
        ("month", "America/New_York", "2026-11-01T00:00-04:00", (30 * 24 + 1) * 3_600),
    ],
)
async def test_a_calendar_window_turns_at_midnight_of_its_zone(
    window: str, zone: str, moment: str, seconds: float, shop: Shop
) -> None:
    account = make_account("requests", limit=1, window=window, zone=zone)
    _go_to(shop, moment)
    assert await _is_admitted(shop, account)
    assert await _wait(shop, account) == seconds * 1_000
    shop.clock.advance(seconds - 1)
    assert await _wait(shop, account) == 1_000
    shop.clock.advance(1)
    assert await _is_admitted(shop, account)
    assert [spent + held for _, (spent, held) in sorted(shop.windows(account).items())] == [1, 1]


async def test_a_rate_runs_from_its_first_call(shop: Shop) -> None:
    account = make_account("requests", limit=2, window="minute")
    shop.clock.advance(59)
    assert await _is_admitted(shop, account)
    shop.clock.advance(50)
    assert await _is_admitted(shop, account)
    assert await _wait(shop, account) == 10_000
    shop.clock.advance(10)
    assert await _is_admitted(shop, account)


async def test_a_refused_call_begins_the_window_it_was_refused_in(shop: Shop) -> None:
    calls = make_account("requests", limit=5, window="minute")
    nothing = make_account("nano", limit=0)
    assert (await _post(shop, calls, nothing, nano=1)).refusal is not None
    shop.clock.advance(40)
    (rate,) = (await _post(shop, calls)).rates
    assert (rate.remaining, rate.reset_ms) == (4, 20_000)


async def test_a_burst_is_a_second_shorter_limit(shop: Shop) -> None:
    burst = make_account("requests", limit=2, window="second", length_ms=10_000, id="burst")
    wide = make_account("requests", limit=100, window="minute")
    taken = []
    for pause in (0, 0.001, 0.001, 9.997, 0.001, 0.001, 0.001):
        shop.clock.advance(pause)
        taken.append(await _is_admitted(shop, wide, burst))
    assert taken == [True, True, False, False, True, True, False]
    assert counted(shop, wide) == (0, 4)


async def test_after_a_refusal_an_account_cools_down(shop: Shop) -> None:
    account = make_account("requests", limit=1, window="second", cooldown_ms=30_000)
    assert await _is_admitted(shop, account)
    shop.clock.advance(0.5)
    assert await _wait(shop, account) == 30_000
    shop.clock.advance(5)
    assert await _wait(shop, account) == 25_000
    shop.clock.advance(25)
    assert await _is_admitted(shop, account)


async def test_a_call_under_way_goes_on_while_its_account_cools_down(shop: Shop) -> None:
    calls = make_account("requests", limit=1, window="minute", cooldown_ms=60_000)
    budget = make_account("nano", limit=100)
    hold = make_hold(calls, budget, nano=10)
    await shop.books.post([hold])
    assert not await _is_admitted(shop, calls)
    (verdict,) = await shop.books.post([make_hold(calls, budget, identifier=hold.id, nano=20)])
    assert verdict.refusal is None
    assert counted(shop, budget) == (0, 20)


async def test_a_soft_account_counts_and_refuses_nobody(shop: Shop) -> None:
    soft = make_account("nano", limit=10, hard=False, window="month")
    for _ in range(2):
        assert (await _post(shop, soft, nano=1_000)).refusal is None
    assert counted(shop, soft) == (0, 2_000)


async def test_a_call_is_charged_to_the_window_that_it_began_in(shop: Shop) -> None:
    daily = make_account("nano", limit=1_000, window="day")
    calls = make_account("requests", limit=5, window="minute")
    hold = make_hold(daily, calls, nano=900)
    await shop.books.post([hold])
    shop.clock.advance(86_400)
    assert (await _post(shop, daily, calls, nano=1_000)).refusal is None
    await shop.books.post([Settlement(hold=hold, entry=make_entry(500, hold.id), tokens=0)])
    assert [counts for _, counts in sorted(shop.windows(daily).items())] == [(500, 0), (0, 1_000)]


async def test_a_raise_is_measured_where_its_hold_sits(shop: Shop) -> None:
    daily = make_account("nano", limit=1_000, window="day")
    hold = make_hold(daily, nano=400)
    await shop.books.post([hold])
    shop.clock.advance(86_400)
    assert (await _post(shop, daily, nano=900)).refusal is None
    (raised,) = await shop.books.post([make_hold(daily, identifier=hold.id, nano=1_000)])
    assert raised.refusal is None
    (refused,) = await shop.books.post([make_hold(daily, identifier=hold.id, nano=1_001)])
    assert refused.refusal is not None
    assert [counts for _, counts in sorted(shop.windows(daily).items())] == [(0, 1_000), (0, 900)]


async def test_the_tightest_quota_of_each_kind_is_told(shop: Shop) -> None:
    tight = make_account("requests", limit=2, window="minute", id="key")
    wide = make_account("requests", limit=10, window="hour", id="tenant")
    tokens = make_account("tokens", limit=100, window="day")
    places = make_account("concurrency", limit=10, window="none")
    for accounts, remaining in (((wide, tokens, tight, places), 1), ((tight, tokens, wide, places), 0)):
        rates = (await _post(shop, *accounts, tokens=30)).rates
        assert [(rate.unit, rate.limit, rate.remaining, rate.reset_ms) for rate in rates] == [
            ("requests", 2, remaining, 60_000),
            ("tokens", 100, 40 + 30 * remaining, 86_400_000),
        ]
