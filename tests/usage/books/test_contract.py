"""What all books do alike, whatever they are kept in."""

from uuid import UUID

from msgspec.structs import replace

from gateway.accounts import LARGEST_AMOUNT, LARGEST_ENTRY, Hold, Renewal, Settlement
from gateway.entry import abandoned_entry
from gateway.ids import uuid7
from tests.support.engine import (
    TENANT,
    make_account,
    make_entry,
    make_hold,
)
from tests.usage.books.shops import Shop, counted

BUDGET = make_account("nano", limit=1_000)
CALLS = make_account("requests", limit=3, window="minute")
PLACES = make_account("concurrency", limit=2, window="none")
TOKENS = make_account("tokens", limit=500, window="day")
EVERY = (BUDGET, CALLS, PLACES, TOKENS)


def _settlement(hold: Hold, nano: int, tokens: int = 0) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(nano, hold.id), tokens=tokens)


def _renewal(hold: Hold) -> Renewal:
    return Renewal(id=hold.id, tenant_id=TENANT)


def _given_back(hold: Hold) -> Settlement:
    return Settlement(hold=hold, entry=abandoned_entry(hold.skeleton), tokens=0, gives_back=True)


def _of_tenant(hold: Hold, tenant: UUID) -> Hold:
    return replace(hold, skeleton=replace(hold.skeleton, tenant_id=tenant))


async def test_a_hold_is_set_aside_and_what_was_used_is_spent(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=800, tokens=100)
    (verdict,) = await shop.books.post([hold])
    assert verdict.refusal is None
    assert [counted(shop, account) for account in EVERY] == [(0, 800), (0, 1), (0, 1), (0, 100)]
    await shop.books.post([_settlement(hold, 300, tokens=40)])
    assert [counted(shop, account) for account in EVERY] == [(300, 0), (1, 0), (0, 0), (40, 0)]
    assert [row[:4] for row in await shop.rows()] == [(hold.id, "settled", 300, None)]


async def test_orders_of_one_post_are_carried_out_in_turn(shop: Shop) -> None:
    first, second = make_hold(BUDGET, nano=600), make_hold(BUDGET, nano=600)
    verdicts = await shop.books.post([first, second, _settlement(first, 100), replace(second, id=second.id)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, False, True, True]
    assert counted(shop, BUDGET) == (100, 600)


async def test_a_refusal_says_which_account_and_when_to_come_back(shop: Shop) -> None:
    holds = [make_hold(CALLS, PLACES, BUDGET, nano=1) for _ in range(3)]
    await shop.books.post([holds[0], holds[1]])
    (verdict,) = await shop.books.post([holds[2]])
    assert verdict.refusal is not None
    assert verdict.refusal.account == PLACES
    await shop.books.post([_settlement(holds[0], 1), holds[2]])
    shop.clock.advance(20)
    (verdict,) = await shop.books.post([make_hold(CALLS)])
    assert verdict.refusal is not None
    assert (verdict.refusal.account, verdict.refusal.retry_ms) == (CALLS, 40_000)


async def test_a_refused_hold_moves_nothing(shop: Shop) -> None:
    (verdict,) = await shop.books.post([make_hold(CALLS, TOKENS, BUDGET, tokens=10, nano=1_001)])
    assert verdict.refusal is not None
    assert [counted(shop, account) for account in (CALLS, TOKENS, BUDGET)] == [(0, 0)] * 3
    assert await shop.rows() == []


async def test_the_same_hold_twice_is_one_hold(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=700)
    for _ in range(3):
        (verdict,) = await shop.books.post([hold])
        assert verdict.refusal is None
    assert counted(shop, BUDGET) == (0, 700)


async def test_a_hold_is_raised_by_a_second_one_of_its_id(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400)
    await shop.books.post([hold])
    await shop.books.post([make_hold(*EVERY, identifier=hold.id, nano=800)])
    assert counted(shop, BUDGET) == (0, 800)
    (verdict,) = await shop.books.post([make_hold(*EVERY, identifier=hold.id, nano=1_200)])
    assert verdict.refusal is not None
    assert verdict.refusal.account == BUDGET
    assert counted(shop, BUDGET) == (0, 800)
    shop.clock.advance(61)
    await shop.books.sweep()
    assert [row[2] for row in await shop.rows()] == [800]


async def test_the_same_settlement_twice_is_one_entry(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400)
    await shop.books.post([hold])
    for _ in range(3):
        await shop.books.post([_settlement(hold, 300)])
    assert counted(shop, BUDGET) == (300, 0)
    assert len(await shop.rows()) == 1


async def test_the_same_settlement_twice_in_one_post_is_one_entry(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400)
    await shop.books.post([hold])
    await shop.books.post([_settlement(hold, 300), _settlement(hold, 300)])
    assert (counted(shop, BUDGET), counted(shop, CALLS)) == ((300, 0), (1, 0))
    assert len(await shop.rows()) == 1


async def test_a_settlement_without_a_hold_is_an_entry_all_the_same(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400)
    for _ in range(2):
        await shop.books.post([_settlement(hold, 300, tokens=7)])
    assert [counted(shop, account) for account in EVERY] == [(300, 0), (1, 0), (0, 0), (7, 0)]
    assert [row[:3] for row in await shop.rows()] == [(hold.id, "settled", 300)]


async def test_a_mending_without_a_hold_counts_no_request_and_no_place(shop: Shop) -> None:
    entry = make_entry(-300, corrects=uuid7())
    for _ in range(2):
        hold = make_hold(*EVERY, identifier=entry.id)
        await shop.books.post([Settlement(hold=hold, entry=entry, tokens=-7)])
    assert [counted(shop, account) for account in EVERY] == [(-300, 0), (0, 0), (0, 0), (-7, 0)]


async def test_a_hold_that_nobody_settles_is_booked_at_its_bound(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400, tokens=50)
    await shop.books.post([hold])
    shop.clock.advance(59.9)
    assert await shop.books.sweep() == 0
    shop.clock.advance(0.2)
    assert await shop.books.sweep() == 1
    assert await shop.books.sweep() == 0
    assert [counted(shop, account) for account in EVERY] == [(400, 0), (1, 0), (0, 0), (50, 0)]
    assert [row[:4] for row in await shop.rows()] == [(hold.id, "unsettled", 400, None)]


async def test_a_renewed_hold_lives_on(shop: Shop) -> None:
    kept, left = make_hold(BUDGET, nano=400), make_hold(BUDGET, nano=500)
    await shop.books.post([kept, left])
    shop.clock.advance(50)
    await shop.books.post([_renewal(kept), _renewal(make_hold())])
    shop.clock.advance(20)
    assert await shop.books.sweep() == 1
    assert shop.open_holds() == {kept.id}


async def test_a_hold_renewed_and_settled_in_one_post_is_closed(shop: Shop) -> None:
    hold = make_hold(BUDGET, nano=400)
    await shop.books.post([hold])
    await shop.books.post([_renewal(hold), _settlement(hold, 300)])
    assert counted(shop, BUDGET) == (300, 0)
    shop.clock.advance(61)
    assert await shop.books.sweep() == 0
    assert len(await shop.rows()) == 1


async def test_a_late_settlement_corrects_once(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400, tokens=50)
    await shop.books.post([hold])
    shop.clock.advance(61)
    await shop.books.sweep()
    for _ in range(3):
        await shop.books.post([_settlement(hold, 300, tokens=20)])
    assert [counted(shop, account) for account in EVERY] == [(300, 0), (1, 0), (0, 0), (20, 0)]
    unsettled, correction = await shop.rows()
    assert unsettled[:4] == (hold.id, "unsettled", 400, None)
    assert correction[1:4] == ("settled", -100, hold.id)
    assert sum(line.charge_nano for line in correction[4]) == -100


async def test_a_late_settlement_twice_in_one_post_corrects_once(shop: Shop) -> None:
    hold = make_hold(*EVERY, nano=400)
    await shop.books.post([hold])
    shop.clock.advance(61)
    await shop.books.sweep()
    await shop.books.post([_settlement(hold, 300), _settlement(hold, 300)])
    assert counted(shop, BUDGET) == (300, 0)
    assert [row[2] for row in await shop.rows()] == [400, -100]


async def test_the_place_of_a_swept_call_is_free_beside_others(shop: Shop) -> None:
    left, kept = make_hold(PLACES), make_hold(PLACES)
    await shop.books.post([left, kept])
    shop.clock.advance(50)
    await shop.books.post([_renewal(kept)])
    shop.clock.advance(20)
    assert await shop.books.sweep() == 1
    verdicts = await shop.books.post([make_hold(PLACES), make_hold(PLACES)])
    assert [verdict.refusal is None for verdict in verdicts] == [True, False]


async def test_a_late_settlement_leaves_a_window_that_turned_alone(shop: Shop) -> None:
    monthly = make_account("nano", limit=1_000, window="month")
    hold = make_hold(monthly, nano=400)
    shop.clock.advance(31 * 86_400 - 30)  # half a minute before the first of February
    await shop.books.post([hold])
    shop.clock.advance(61)
    await shop.books.sweep()
    await shop.books.post([_settlement(hold, 100)])
    (verdict,) = await shop.books.post([make_hold(monthly, nano=1_001)])
    assert verdict.refusal is not None
    by_month = sorted(shop.windows(monthly).items())
    assert [spent for _, (spent, _) in by_month] == [100, 0]


async def test_a_raise_after_the_sweep_opens_no_second_hold(shop: Shop) -> None:
    hold = make_hold(BUDGET, nano=400)
    await shop.books.post([hold])
    shop.clock.advance(61)
    await shop.books.sweep()
    await shop.books.post([make_hold(BUDGET, identifier=hold.id, nano=800)])
    await shop.books.post([_settlement(hold, 500)])
    rows = await shop.rows()
    assert sum(row[2] for row in rows) == 500
    assert counted(shop, BUDGET) == (500, 0)


async def test_what_cannot_be_counted_fails_alone(shop: Shop) -> None:
    absurd, sound = make_hold(BUDGET, nano=100), make_hold(BUDGET, nano=200)
    await shop.books.post([absurd, sound])
    verdicts = await shop.books.post(
        [_settlement(absurd, LARGEST_ENTRY + 1), _settlement(sound, 150), make_hold(TOKENS, tokens=1 << 70)]
    )
    assert [(one.failed, one.hopeless) for one in verdicts] == [(True, True), (False, False), (True, True)]
    assert (counted(shop, BUDGET), counted(shop, TOKENS)) == ((150, 100), (0, 0))
    assert [row[:3] for row in await shop.rows()] == [(sound.id, "settled", 150)]
    assert [one.hopeless for one in await shop.books.post([_settlement(absurd, -LARGEST_ENTRY - 1)])] == [
        True
    ]


async def test_a_hold_that_is_given_back_costs_nothing_and_is_told(shop: Shop) -> None:
    hold, unknown = make_hold(*EVERY, nano=400), make_hold(*EVERY, nano=300)
    await shop.books.post([hold])
    for _ in range(2):
        await shop.books.post([_given_back(hold), _given_back(unknown)])
    assert [counted(shop, account) for account in EVERY] == [(0, 0), (1, 0), (0, 0), (0, 0)]
    assert [row[:3] for row in await shop.rows()] == [(hold.id, "failed", 0)]


async def test_the_largest_amounts_are_counted_to_the_last_one(shop: Shop) -> None:
    budget = make_account("nano", limit=LARGEST_AMOUNT)
    hold = make_hold(budget, nano=LARGEST_AMOUNT - 1)
    await shop.books.post([hold])
    first, second = await shop.books.post([make_hold(budget, nano=1), make_hold(budget, nano=1)])
    assert (first.refusal is None, second.refusal is None) == (True, False)
    await shop.books.post([_settlement(hold, LARGEST_AMOUNT - 3)])
    assert counted(shop, budget) == (LARGEST_AMOUNT - 3, 1)
    assert [row[2] for row in await shop.rows()] == [LARGEST_AMOUNT - 3]


async def test_calls_of_all_tenants_are_told_apart(shop: Shop) -> None:
    tenants = [UUID(int=number) for number in range(1, 40)]
    holds = [
        _of_tenant(make_hold(make_account("requests", limit=1, id=f"tenant:{tenant}"), nano=number), tenant)
        for number, tenant in enumerate(tenants)
    ]
    again = [
        _of_tenant(make_hold(*hold.accounts), tenant) for hold, tenant in zip(holds, tenants, strict=True)
    ]
    verdicts = await shop.books.post([*holds, *again])
    assert [verdict.refusal is None for verdict in verdicts] == [True] * len(holds) + [False] * len(again)
    assert [one.refusal.account for one in verdicts if one.refusal] == [hold.accounts[0] for hold in holds]
    settled = [
        replace(
            _settlement(hold, number),
            entry=replace(make_entry(number, hold.id), tenant_id=hold.skeleton.tenant_id),
        )
        for number, hold in enumerate(holds)
    ]
    await shop.books.post(settled)
    assert sorted(row[2] for row in await shop.rows()) == list(range(len(holds)))
