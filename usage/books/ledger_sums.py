"""What every account of a shard's tenants has spent, summed up from the ledger: for counters that were lost.

For each window that any account of a tenant counts in, one query groups the entries since its start by
whose they are. An account's limit does not matter here, only what it counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error
from django.db.models import BigIntegerField, Count, Q, Sum
from django.db.models.expressions import Combinable, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce
from msgspec import Struct, convert
from msgspec.structs import replace

from gateway.accounts import Account
from gateway.call import METERS, Usage
from gateway.errors import BooksAway
from gateway.ids import first_id
from gateway.patterns import matches
from gateway.windows import Window, window_bounds
from tenants.models import Tenant
from usage.books.ledger_owners import Owners
from usage.books.redis_recovery import Spent
from usage.books.shards import shard_of
from usage.models import Correction, LedgerEntry

_TOKEN_METERS = [meter for meter in METERS if convert({meter: 1}, Usage).tokens]
_OWNERS = ("project_id", "key_id", "end_user_id", "model")
_RATES: tuple[Window, ...] = ("second", "minute", "hour")


class Group(Struct, frozen=True, gc=False):
    """The entries of one owner for one model, since a window began."""

    project_id: UUID | None
    key_id: UUID | None
    end_user_id: UUID | None
    model: str
    requests: int
    tokens: int
    nano: int


async def ledger_sums(shard: int, now_ms: int) -> Sequence[Spent]:
    """What every account of a shard's tenants has spent in its window of now."""
    load = database_sync_to_async(shard_sums)
    try:
        sums: Sequence[Spent] = await load(shard, now_ms)
    except Error as error:
        raise BooksAway from error
    return sums


def shard_sums(shard: int, now_ms: int) -> Sequence[Spent]:
    """The same, for a thread that may wait for the database."""
    sums: dict[str, Spent] = {}
    for tenant in Tenant.objects.all():
        if shard_of(tenant.id) == shard:
            for one in _tenant_sums(tenant, now_ms):
                known = sums.get(one.account)  # of a platform key, which counts in a shard for all tenants
                sums[one.account] = one if known is None else replace(known, spent=known.spent + one.spent)
    return list(sums.values())


def _tenant_sums(tenant: Tenant, now_ms: int) -> Iterator[Spent]:
    owners = Owners(tenant)
    counted: dict[tuple[Window, int], list[Account]] = defaultdict(list)
    for account in owners.accounts:
        if account.unit != "concurrency":
            counted[account.window, account.length_ms].append(account)
    for accounts in counted.values():
        start_ms, ends_ms, since_ms = _window(accounts[0], now_ms)
        groups = _groups(tenant, since_ms, any(account.unit == "tokens" for account in accounts))
        window = (accounts[0].window, accounts[0].length_ms)
        for name, spent in _spent(owners, groups, window).items():
            yield Spent(name, start_ms, ends_ms, spent)


def _window(account: Account, now_ms: int) -> tuple[int, int, int]:
    """Start and end of the window that begins or goes on now, and since when entries count in it.

    When a rate's window began is not in the ledger: everything within its length counts in a new one.
    """
    start_ms, ends_ms = window_bounds(account.window, account.zone, now_ms, account.length_ms)
    is_rate = account.length_ms or account.window in _RATES
    return start_ms, ends_ms, 2 * start_ms - ends_ms if is_rate else start_ms


def _spent(owners: Owners, groups: Iterable[Group], window: tuple[Window, int]) -> dict[str, int]:
    spent: dict[str, int] = defaultdict(int)
    for group in groups:
        for account in owners.accounts_of(group.project_id, group.key_id, group.end_user_id):
            is_counted = account.unit != "concurrency" and (account.window, account.length_ms) == window
            if is_counted and (not account.model or matches(account.model, group.model)):
                spent[account.id] += getattr(group, account.unit)
    return spent


def _groups(tenant: Tenant, since_ms: int, with_tokens: bool) -> Iterator[Group]:
    """The books' own corrections count in the window of their call, which is over if it began earlier.

    Those that people asked for count when they were booked.
    """
    first = first_id(since_ms)
    asked_for = Correction.objects.filter(tenant_id=tenant.id).values("correcting_id")
    of_window = Q(corrects=None) | Q(corrects__gte=first) | Q(pk__in=asked_for)
    sums = (
        LedgerEntry.objects.filter(of_window, tenant_id=tenant.id, id__gte=first)
        .order_by()
        .values_list(*_OWNERS)
        .annotate(
            requests=Count("pk", filter=Q(corrects=None)),
            tokens=Sum(_tokens()) if with_tokens else Value(0),
            nano=Sum("charge_nano"),
        )
    )
    for project, key, end_user, model, *counted in sums.iterator():
        yield Group(project, key, end_user, model, *map(int, counted))


def _tokens() -> Combinable:
    tokens: Combinable = Value(0)
    for meter in _TOKEN_METERS:
        units = Cast(KeyTextTransform(meter, "meters"), BigIntegerField())
        tokens = tokens + Coalesce(units, 0)
    return tokens
