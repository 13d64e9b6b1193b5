"""What the ledger says that accounts have spent, on each kind of database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from gateway.accounts import Account
from gateway.errors import BooksAway
from gateway.ids import uuid7
from tenants.accounts import class_accounts, end_user_accounts, tenant_accounts
from tenants.keys import key_rotate
from tenants.models import LimitClass, Tenant
from tests import factories
from usage.books import ledger_sums as ledger_sums_module
from usage.books.ledger_sums import ledger_sums, shard_sums
from usage.books.redis_recovery import Spent
from usage.books.shards import SHARDS, shard_of
from usage.models import LedgerEntry

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = round(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp() * 1_000)
"""A day of 23 hours in Berlin, which began 13 hours ago by the clock."""
DAY_START = round(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp() * 1_000)
MONTH_START = round(datetime(2026, 2, 28, 23, tzinfo=UTC).timestamp() * 1_000)


@pytest.fixture
def acme(each_database: str) -> Tenant:
    """A tenant in Berlin, in each kind of database."""
    return factories.make_tenant(time_zone="Europe/Berlin")


def _entry(tenant: Tenant, ago: int, nano: int = 10, **fields: Any) -> LedgerEntry:
    moment = NOW - ago
    return factories.make_entry(
        tenant, uuid7(moment), at=datetime.fromtimestamp(moment / 1_000, UTC), charge_nano=nano, **fields
    )


def _sums(tenant: Tenant) -> dict[str, Spent]:
    found = shard_sums(shard_of(tenant.id), NOW)
    assert len({one.account for one in found}) == len(found)
    return {one.account: one for one in found}


def _spent(tenant: Tenant, *accounts: Account) -> list[int]:
    sums = _sums(tenant)
    return [sums[one.id].spent if one.id in sums else 0 for one in accounts]


def test_every_window_has_what_was_spent_since_it_began(acme: Tenant) -> None:
    for window in ("day", "month", "total"):
        factories.make_budget(tenant=acme, window=window)
    factories.make_limit(tenant=acme, window="hour")
    for ago in (30 * MINUTE, 12 * HOUR, 14 * HOUR, 40 * DAY):
        _entry(acme, ago)
    accounts = {one.window: one for one in tenant_accounts(tenant=acme, project=None, key=None)}
    sums = _sums(acme)
    assert {window: sums[one.id] for window, one in accounts.items()} == {
        "hour": Spent(accounts["hour"].id, NOW, NOW + HOUR, 1),
        "day": Spent(accounts["day"].id, DAY_START, DAY_START + 23 * HOUR, 20),
        "month": Spent(accounts["month"].id, MONTH_START, MONTH_START + 31 * DAY - HOUR, 30),
        "total": Spent(accounts["total"].id, 0, 1 << 53, 40),
    }


def test_a_burst_counts_its_own_length(acme: Tenant) -> None:
    factories.make_limit(tenant=acme, burst_calls=3, burst_seconds=10)
    for ago in (5_000, 15_000, 70_000):
        _entry(acme, ago)
    minute, burst = tenant_accounts(tenant=acme, project=None, key=None)
    assert _spent(acme, minute, burst) == [2, 1]


def test_each_unit_is_counted_in_its_own_way(acme: Tenant) -> None:
    factories.make_budget(tenant=acme, window="total")
    factories.make_limit(tenant=acme, unit="tokens", window="day")
    factories.make_limit(tenant=acme, unit="requests", window="total")
    factories.make_limit(tenant=acme, unit="concurrency", window="")
    call = _entry(acme, HOUR, 500, meters={"input": 3, "cache_read": 4, "output": 5, "image": 100})
    _entry(acme, HOUR, 40, status="failed", meters={})
    _entry(acme, HOUR, -100, meters={"reasoning": 7, "audio_out": 2}, corrects=call.pk)
    by_unit = {one.unit: one for one in tenant_accounts(tenant=acme, project=None, key=None)}
    assert _spent(acme, *(by_unit[unit] for unit in ("nano", "tokens", "requests"))) == [440, 21, 2]
    assert by_unit["concurrency"].id not in _sums(acme)


def test_a_correction_counts_in_the_window_of_its_call(acme: Tenant) -> None:
    factories.make_budget(tenant=acme, window="day")
    earlier, today = _entry(acme, 20 * HOUR, 500), _entry(acme, 2 * HOUR, 300)
    for call in (earlier, today):
        _entry(acme, HOUR, -100, corrects=call.pk)
    assert _spent(acme, *tenant_accounts(tenant=acme, project=None, key=None)) == [200]


def test_projects_keys_and_models_count_their_own(acme: Tenant) -> None:
    search, other = (factories.make_project(acme, name) for name in ("search", "other"))
    key, _ = factories.make_key(acme)
    for scope in ({"tenant": acme}, {"project": search}, {"key": key}):
        factories.make_budget(window="month", **scope)
    factories.make_budget(tenant=acme, window="month", model="gpt-4*")
    _entry(acme, HOUR, 1, project_id=search.id, key_id=key.id, model="gpt-4o")
    _entry(acme, HOUR, 2, project_id=other.id, key_id=key.id, model="llama")
    _entry(acme, HOUR, 4, project_id=search.id, model="gpt-4o-mini")
    accounts = tenant_accounts(tenant=acme, project=search, key=key)
    found = {
        (one.scope, one.model): spent for one, spent in zip(accounts, _spent(acme, *accounts), strict=True)
    }
    assert found == {("tenant", ""): 7, ("tenant", "gpt-4*"): 5, ("project", ""): 5, ("key", ""): 3}


def test_keys_of_one_lineage_count_together(acme: Tenant) -> None:
    old, _ = factories.make_key(acme)
    new, _ = key_rotate(key=old, grace_seconds=60)
    factories.make_limit(key=new, window="day")
    for key in (old, new):
        _entry(acme, HOUR, key_id=key.id)
    (account,) = tenant_accounts(tenant=acme, project=None, key=new)
    assert _spent(acme, account) == [2]


@pytest.mark.parametrize(("distance", "counted"), [(1, 1), (SHARDS, 2)], ids=["another shard", "the same"])
def test_a_platform_key_counts_in_each_shard_for_all_its_tenants(
    distance: int, counted: int, acme: Tenant
) -> None:
    key, _ = factories.make_key(None, "ops", all_tenants=True, roles=["operator"])
    factories.make_limit(key=key, window="day")
    _entry(acme, HOUR, key_id=key.id)
    globex = factories.make_tenant("globex", id=UUID(int=acme.id.int + distance))
    _entry(globex, HOUR, key_id=key.id)
    (account,) = tenant_accounts(tenant=acme, project=None, key=key)
    assert _spent(acme, account) == [counted]


def test_end_users_count_on_their_own_rows_their_class_or_that_of_the_key(acme: Tenant) -> None:
    standard, premium = (LimitClass.objects.create(name=name) for name in ("standard", "premium"))
    for limit_class in (standard, premium):
        factories.make_limit(limit_class=limit_class, window="day")
    key, _ = factories.make_key(acme, per_user_class=standard)
    alice = factories.make_end_user(acme, "alice")
    bob = factories.make_end_user(acme, "bob", limit_class=premium)
    charlie = factories.make_end_user(acme, "charlie")
    factories.make_limit(end_user=charlie, window="month")
    for user in (alice, alice, bob, charlie):
        _entry(acme, HOUR, key_id=key.id, end_user_id=user.id)
    _entry(acme, HOUR, end_user_id=alice.id)
    (template,) = class_accounts(limit_class=standard, zone=acme.time_zone)
    (of_bob,) = end_user_accounts(end_user=bob, zone=acme.time_zone)
    (of_charlie,) = end_user_accounts(end_user=charlie, zone=acme.time_zone)
    expected = {f"{template.id}:{alice.id.hex}": 2, of_bob.id: 1, of_charlie.id: 1}
    assert {name: one.spent for name, one in _sums(acme).items()} == expected


def test_other_tenants_do_not_count_and_each_is_in_one_shard(acme: Tenant) -> None:
    tenants = [acme, *(factories.make_tenant(f"globex-{number}") for number in range(20))]
    for number, tenant in enumerate(tenants):
        factories.make_budget(tenant=tenant, window="total")
        _entry(tenant, HOUR, number)
    found = [spent for shard in range(SHARDS) for spent in shard_sums(shard, NOW)]
    accounts = [one for tenant in tenants for one in tenant_accounts(tenant=tenant, project=None, key=None)]
    sums = {one.account: one.spent for one in found}
    assert len(found) == len(sums)
    assert [sums[one.id] for one in accounts] == list(range(len(tenants)))


def test_many_end_users_take_no_more_queries(acme: Tenant, django_assert_max_num_queries: Any) -> None:
    standard = LimitClass.objects.create(name="standard")
    factories.make_limit(limit_class=standard, window="day")
    for number in range(30):
        user = factories.make_end_user(acme, f"user-{number}", limit_class=standard)
        _entry(acme, HOUR, end_user_id=user.id)
    with django_assert_max_num_queries(20):
        assert len(_sums(acme)) == 30


@pytest.mark.django_db(transaction=True)
async def test_books_are_told_without_waiting_on_the_loop() -> None:
    tenant = await database_sync_to_async(factories.make_tenant)()
    await database_sync_to_async(factories.make_budget)(tenant=tenant, window="total")
    await database_sync_to_async(_entry)(tenant, HOUR, 7)
    assert [one.spent for one in await ledger_sums(shard_of(tenant.id), NOW)] == [7]


@pytest.mark.django_db
async def test_a_database_that_is_away_is_told_as_books_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(ledger_sums_module, "shard_sums", away)
    with pytest.raises(BooksAway):
        await ledger_sums(0, NOW)
