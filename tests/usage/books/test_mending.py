"""Corrections reach the ledger and the accounts once, whoever brings them and however often."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from channels.db import database_sync_to_async
from django.db import connection

from gateway.accounts import Account, Order, Settlement, Verdict
from gateway.errors import BooksAway
from gateway.ids import uuid7
from gateway.memory import MemoryBooks
from gateway.ports import Books
from tenants.accounts import tenant_accounts
from tests import factories
from tests.support.clock import FakeClock
from tests.support.engine import make_entry, make_hold
from tests.usage.books.shops import Shop, counted
from usage.books.sqlite import SqliteBooks
from usage.mending import TAKE_UP_EVERY, Mending
from usage.models import Correction, Counter, LedgerEntry

pytestmark = pytest.mark.django_db(transaction=True)

CHARGED, GIVEN_BACK = 1_100, -400


class Billed(NamedTuple):
    """A call that was charged, in the ledger and on its accounts."""

    entry: LedgerEntry
    accounts: tuple[Account, ...]

    def account(self, unit: str, scope: str = "tenant") -> Account:
        """One of its accounts."""
        (found,) = [one for one in self.accounts if (one.unit, one.scope) == (unit, scope)]
        return found


def make_call() -> Billed:
    """What a call leaves in the database, and which accounts it moved."""
    tenant = factories.make_tenant()
    project = factories.make_project(tenant, cost_centre="4711")
    key, _ = factories.make_key(tenant, project=project)
    for unit in ("requests", "tokens"):
        factories.make_limit(1_000, unit, "day", tenant=tenant)
    for owner in ({"tenant": tenant}, {"key": key}):
        factories.make_budget(window="month", **owner)
    who: dict[str, Any] = {
        "project_id": project.pk,
        "project": "search",
        "key_id": key.pk,
        "key": "app",
        "cost_centre": "4711",
    }
    fields: dict[str, Any] = {
        "model_asked": "small",
        "tags": {"team": "red"},
        "charge_nano": CHARGED,
        "provider_id": uuid7(),
    }
    entry = factories.make_entry(tenant, meters={"input": 7}, latency_ms=5, **who | fields)
    return Billed(entry, tenant_accounts(tenant=tenant, project=project, key=key))


async def billed_at(books: Books) -> Billed:
    """A call that the books have charged."""
    call: Billed = await database_sync_to_async(make_call)()
    await books.post([settlement_of(call.entry, call.accounts)])
    return call


def settlement_of(entry: LedgerEntry, accounts: tuple[Account, ...], **fields: Any) -> Settlement:
    told = make_entry(entry.charge_nano, entry.pk, tenant_id=entry.tenant_id, **fields)
    return Settlement(hold=make_hold(*accounts, identifier=entry.pk), entry=told, tokens=7)


async def asked(call: Billed, **fields: Any) -> Correction:
    amounts = {"charge_nano": GIVEN_BACK, "cost_nano": -300}
    row: Correction = await database_sync_to_async(factories.make_correction)(call.entry, **amounts | fields)
    return row


async def is_noted(correction: Correction) -> bool:
    await correction.arefresh_from_db()
    return correction.applied_at is not None


Post = Callable[[Sequence[Order]], Awaitable[Sequence[Verdict]]]


def mending(shop: Shop, post: Post | None = None) -> Mending:
    """One process that takes corrections up."""
    return Mending(post=post or shop.books.post, clock=shop.clock)


class Died(BaseException):
    """The process ends."""


async def test_a_correction_moves_the_budgets_and_counts_no_call(shop: Shop) -> None:
    call = await billed_at(shop.books)
    correction = await asked(call)
    assert await mending(shop).take_up() == 1
    assert await is_noted(correction)
    for scope in ("tenant", "key"):
        assert counted(shop, call.account("nano", scope)) == (CHARGED + GIVEN_BACK, 0)
    assert counted(shop, call.account("requests")) == (1, 0)
    assert counted(shop, call.account("tokens")) == (7, 0)
    assert [row[:4] for row in await shop.rows()] == [
        (call.entry.pk, "settled", CHARGED, None),
        (correction.correcting_id, "refunded", GIVEN_BACK, call.entry.pk),
    ]
    assert shop.open_holds() == set()


async def test_it_is_taken_up_once(shop: Shop) -> None:
    call = await billed_at(shop.books)
    await asked(call)
    assert [await mending(shop).take_up() for _ in range(3)] == [1, 0, 0]
    assert counted(shop, call.account("nano")) == (CHARGED + GIVEN_BACK, 0)


async def test_two_processes_that_take_it_up_together_book_it_once(shop: Shop) -> None:
    call = await billed_at(shop.books)
    correction = await asked(call)
    both = asyncio.Barrier(2)

    async def post_together(orders: Sequence[Order]) -> Sequence[Verdict]:
        await both.wait()
        return await shop.books.post(orders)

    brought = await asyncio.gather(*[mending(shop, post_together).take_up() for _ in range(2)])
    assert sorted(brought) == [0, 1]
    assert await is_noted(correction)
    assert counted(shop, call.account("nano")) == (CHARGED + GIVEN_BACK, 0)
    assert len(await shop.rows()) == 2


async def test_a_process_that_dies_before_noting_it_leaves_nothing_booked_twice(shop: Shop) -> None:
    call = await billed_at(shop.books)
    correction = await asked(call)

    async def post_and_die(orders: Sequence[Order]) -> Sequence[Verdict]:
        await shop.books.post(orders)
        raise Died

    with pytest.raises(Died):
        await mending(shop, post_and_die).take_up()
    assert not await is_noted(correction)
    shop.clock.advance(30)
    assert await mending(shop).take_up() == 1
    assert await is_noted(correction)
    assert counted(shop, call.account("nano")) == (CHARGED + GIVEN_BACK, 0)
    assert len(await shop.rows()) == 2


async def test_what_the_ledger_has_is_only_noted(shop: Shop) -> None:
    call = await billed_at(shop.books)
    correction = await asked(call)
    tenant = await database_sync_to_async(factories.make_tenant)("globex")
    await database_sync_to_async(factories.make_entry)(tenant, id=correction.correcting_id)
    assert await mending(shop).take_up() == 1
    assert await is_noted(correction)
    assert counted(shop, call.account("nano")) == (CHARGED, 0)


@pytest.mark.parametrize("how", ["away", "failed"])
async def test_it_waits_for_books_that_do_not_take_it(shop: Shop, how: str) -> None:
    call = await billed_at(shop.books)
    correction = await asked(call)

    async def refuse(orders: Sequence[Order]) -> Sequence[Verdict]:
        if how == "away":
            raise BooksAway
        return [Verdict(failed=True)]

    with pytest.raises(BooksAway) if how == "away" else nullcontext():
        await mending(shop, refuse).take_up()
    assert not await is_noted(correction)
    assert await mending(shop).take_up() == 1
    assert counted(shop, call.account("nano")) == (CHARGED + GIVEN_BACK, 0)


async def test_one_that_cannot_be_booked_keeps_nobody_waiting(shop: Shop) -> None:
    call = await billed_at(shop.books)
    lost = await asked(call, entry_id=uuid7())
    correction = await asked(call)
    assert await mending(shop).take_up() == 1
    assert await is_noted(correction)
    assert not await is_noted(lost)


async def test_it_counts_in_the_window_of_now(shop: Shop) -> None:
    call = await billed_at(shop.books)
    shop.clock.advance(40 * 86_400)
    await asked(call)
    await mending(shop).take_up()
    assert sorted(spent for spent, _ in shop.windows(call.account("nano")).values()) == [GIVEN_BACK, CHARGED]


async def test_the_entry_is_of_the_same_call_and_measures_nothing(clock: FakeClock) -> None:
    books = MemoryBooks(clock)  # type: ignore[arg-type]
    call = await billed_at(books)
    kinds = ("refund", "credit", "correction")
    corrections = [await asked(call, kind=kind) for kind in kinds]
    await Mending(post=books.post, clock=clock).take_up()
    mended = [books.entries[correction.correcting_id] for correction in corrections]
    assert [one.status for one in mended] == ["refunded", "settled", "settled"]
    one = mended[0]
    for name in (
        "request_id",
        "tenant_id",
        "tenant",
        "project_id",
        "project",
        "cost_centre",
        "key_id",
        "key",
    ):
        assert getattr(one, name) == getattr(call.entry, name)
    for name in ("dialect", "kind", "model_asked", "model", "provider_id", "provider", "deployment", "tags"):
        assert getattr(one, name) == getattr(call.entry, name)
    (line,) = one.lines
    assert (line.meter, line.units, line.price, line.pico) == ("adjustment", 1, 0, 0)
    assert (line.cost_nano, line.charge_nano) == (one.cost_nano, one.charge_nano) == (-300, GIVEN_BACK)
    assert (one.meters.tokens, one.attempts, one.latency_ms) == (0, (), 0)
    assert one.at_ms == round(clock.now() * 1000)


async def test_on_a_file_the_counter_is_the_ledgers_sum(clock: FakeClock) -> None:
    books = SqliteBooks(Path(connection.settings_dict["NAME"]), clock=clock)
    await books.open()
    try:
        tenant = await database_sync_to_async(factories.make_tenant)()
        await database_sync_to_async(factories.make_budget)(tenant=tenant)
        (budget,) = await database_sync_to_async(tenant_accounts)(tenant=tenant, project=None, key=None)
        entry = make_entry(CHARGED, tenant_id=tenant.pk)
        await books.post([Settlement(hold=make_hold(budget, identifier=entry.id), entry=entry, tokens=0)])
        call = Billed(await LedgerEntry.objects.aget(), (budget,))
        await asked(call)
        await asked(call, kind="credit", charge_nano=-50)
        assert await Mending(post=books.post, clock=clock).take_up() == 2
        charges = [one async for one in LedgerEntry.objects.values_list("charge_nano", flat=True)]
        (counter,) = books.tally.counters.values()
        assert sorted(charges) == [GIVEN_BACK, -50, CHARGED]
        assert counter.spent == sum(charges) == (await Counter.objects.aget()).spent
    finally:
        await books.close()


async def test_it_is_looked_for_every_few_seconds_though_a_look_fails(clock: FakeClock) -> None:
    books = MemoryBooks(clock)  # type: ignore[arg-type]
    call = await billed_at(books)
    corrections = [await asked(call) for _ in range(2)]
    failures: list[Exception] = [BooksAway(), RuntimeError("nobody thought of this")]

    async def post(orders: Sequence[Order]) -> Sequence[Verdict]:
        if failures:
            raise failures.pop()
        return await books.post(orders)

    task = asyncio.create_task(Mending(post=post, clock=clock).run())
    async with asyncio.timeout(10):
        while not all([await is_noted(one) for one in corrections]):
            clock.advance(TAKE_UP_EVERY)
            await asyncio.sleep(0)
    task.cancel()
    assert not failures


async def test_a_database_that_is_away_is_not_asked(clock: FakeClock) -> None:
    task = asyncio.create_task(
        Mending(post=MemoryBooks(clock).post, clock=clock, away=lambda: True).run()  # type: ignore[arg-type]
    )
    await clock.turn(3 * TAKE_UP_EVERY)
    assert clock.slept == [TAKE_UP_EVERY] * 4
    task.cancel()
