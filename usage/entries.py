"""Pages of the ledger, newest first, by keyset: no page counts or skips, and none looks at too many rows.

An index answers what is asked first: a request's entries, a key's, a tenant's, or all by id. What else is
asked, such as the model, is looked for among so many of those rows at most; where they held too little, the
page says how far it has looked, and the next one goes on from there.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from heapq import merge, nlargest
from itertools import islice
from uuid import UUID

from django.db.models import Q, QuerySet
from msgspec import Struct

from gateway.ids import first_id
from usage.models import LedgerEntry

LOOKED_AT_MOST = 10_000
"""By all walks of a page together."""


class Asked(Struct, frozen=True, kw_only=True):
    """Which entries; without tenants, those of all."""

    tenants: Collection[UUID] | None = None
    key: UUID | None = None
    request_id: str = ""
    model: str = ""
    status: str = ""
    since: datetime
    until: datetime | None = None
    after: UUID | None = None


class Page(Struct, frozen=True, kw_only=True):
    """Some entries, and after which id the next ones are; None where all were seen."""

    entries: list[LedgerEntry]
    following: UUID | None


def entries_page(*, asked: Asked, limit: int) -> Page:
    """The newest entries that are asked for."""
    span = _span(asked)
    ways, rest = _ways(asked)
    share = max(1, LOOKED_AT_MOST // max(1, len(ways)))
    floors = [_floor(span.filter(way), share) for way in ways] if rest else []
    floor = max((bound for bound in floors if bound is not None), default=None)
    if floor is not None:
        span = span.filter(id__gte=floor)
    found = _newest(span, ways, rest, limit + 1)
    entries = {entry.pk: entry for entry in LedgerEntry.objects.filter(pk__in=found[:limit])}
    following = found[limit - 1] if len(found) > limit else floor
    return Page(entries=[entries[identifier] for identifier in found[:limit]], following=following)


def entries_of_request(
    request_id: str, *, tenants: Collection[UUID] | None, known: Iterable[UUID], most: int
) -> list[LedgerEntry]:
    """The newest entries of a request id, and those that are known to be of it.

    Callers choose such ids, and may choose one for all that they ask: no more than so many are looked at.
    """
    rows = LedgerEntry.objects.filter(request_id=request_id, corrects=None).order_by()
    if tenants is not None:
        rows = rows.filter(tenant_id__in=tenants)
    found = nlargest(most, rows.values_list("id", flat=True)[:LOOKED_AT_MOST])
    return list(rows.filter(id__in={*found, *known}))


def _span(asked: Asked) -> QuerySet[LedgerEntry]:
    """Moments are bounds on ids, by which months prune."""
    rows = LedgerEntry.objects.filter(id__gte=_first(asked.since)).order_by("-id")
    if asked.until is not None:
        rows = rows.filter(id__lt=_first(asked.until))
    return rows if asked.after is None else rows.filter(id__lt=asked.after)


def _ways(asked: Asked) -> tuple[list[Q], Q]:
    """The conditions that an index answers, each by a walk of its own, and what is left to look for."""
    rest = Q(model=asked.model) | Q(model_asked=asked.model) if asked.model else Q()
    if asked.status:
        rest &= Q(status=asked.status)
    keyed = Q() if asked.key is None else Q(key_id=asked.key)
    if asked.request_id or keyed:
        whose = Q() if asked.tenants is None else Q(tenant_id__in=asked.tenants)
        if asked.request_id:
            return [Q(request_id=asked.request_id)], rest & keyed & whose
        return [keyed], rest & whose
    if asked.tenants is None:
        return [Q()], rest
    return [Q(tenant_id=tenant) for tenant in sorted(asked.tenants)], rest


def _floor(rows: QuerySet[LedgerEntry], share: int) -> UUID | None:
    """The last row that a walk may look at; None if it has no more than its share."""
    bounds = rows.values_list("id", flat=True)[share - 1 : share]
    return next(iter(bounds), None)


def _newest(span: QuerySet[LedgerEntry], ways: Iterable[Q], rest: Q, most: int) -> list[UUID]:
    walks = [list(span.filter(way).filter(rest).values_list("id", flat=True)[:most]) for way in ways]
    return list(islice(merge(*walks, reverse=True), most))


def _first(moment: datetime) -> UUID:
    return first_id(max(0, int(moment.timestamp() * 1000)))
