"""The ledger, to read: by time, by id, by the names of tenants and keys."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from gateway.call import Usage
from gateway.ids import first_id
from tenants.admin.filters import DefaultedFilter
from tenants.models import ApiKey, Tenant
from tenants.money import dollars
from tenants.unfolded import display
from usage.admin.mending import MendableAdmin
from usage.admin.reading import moment_text, unbroken
from usage.admin.tables import attempts_table, corrections_table, lines_table, tags_table
from usage.models import LedgerEntry

STATUS_COLOURS = {
    "settled": "success",
    "failed": "danger",
    "refunded": "info",
    "unsettled": "warning",
    "cached": "info",
}

_WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "31d": timedelta(days=31)}
_MOST_NAMES = 50


class WindowFilter(DefaultedFilter):
    """How far back the list reaches, as a bound on ids: the primary key answers it, and months prune."""

    title = "time"
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The windows on offer."""
        return [("24h", "last 24 hours"), ("7d", "last 7 days"), ("31d", "last 31 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        """The entries since then."""
        since = timezone.now() - _WINDOWS[self.value()]
        return queryset.filter(id__gte=first_id(int(since.timestamp() * 1000)))


class StatusFilter(admin.SimpleListFilter):
    """How calls ended; a filter of its own, since Django's asks the table which values there are."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The ways in which a call can end."""
        return [(str(key), str(name)) for key, name in LedgerEntry.Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        """The entries that ended so."""
        return queryset.filter(status=self.value()) if self.value() else queryset


def entries_found(
    *, everything: QuerySet[LedgerEntry], windowed: QuerySet[LedgerEntry], term: str
) -> QuerySet[LedgerEntry]:
    """What a search means: one call by its id whenever it was, else the calls of a name within the window."""
    by_id = Q(request_id=term)
    with suppress(ValueError):
        by_id |= Q(pk=UUID(term))
    exact = everything.filter(by_id)
    if exact.exists():
        return exact
    tenants = list(Tenant.objects.filter(name__startswith=term).values_list("pk", flat=True)[:_MOST_NAMES])
    keys = list(ApiKey.objects.filter(name__startswith=term).values_list("pk", flat=True)[:_MOST_NAMES])
    if tenants or keys:
        return windowed.filter(Q(tenant_id__in=tenants) | Q(key_id__in=keys))
    return windowed.filter(Q(tenant__startswith=term) | Q(key__startswith=term))


@admin.register(LedgerEntry)
class LedgerAdmin(MendableAdmin):
    """One row for every admitted call."""

    list_display = (
        "time",
        "tenant",
        "key",
        "models_named",
        "provider",
        "ended",
        "tokens",
        "cost",
        "charge",
        "latency",
    )
    list_filter = (WindowFilter, StatusFilter)
    search_fields = ("request_id",)
    search_help_text = "Request or entry id, tenant, key"
    tenant_paths = ("tenant_id",)
    empty_text = "No call was made in this time. Choose a longer one, or make a call with an API key."
    readonly_fields = (
        "time",
        "models_named",
        "tokens",
        "cost",
        "charge",
        "latency",
        "first_token",
        "overhead",
        "counted",
        "lines_shown",
        "attempts_shown",
        "tags_shown",
        "corrections_shown",
    )
    fieldsets = (
        ("The call", {"fields": ("time", "status", "models_named", "kind", "dialect", "request_id", "id")}),
        ("Who called", {"fields": ("tenant", "project", "cost_centre", "key", "end_user_id")}),
        (
            "Money",
            {"fields": ("cost", "charge", "lines_shown", "price_version", "counted", "corrections_shown")},
        ),
        (
            "Way",
            {
                "fields": (
                    "provider",
                    "deployment",
                    "attempts_shown",
                    "latency",
                    "first_token",
                    "overhead",
                    "sensitivity",
                )
            },
        ),
        ("Tags", {"fields": ("tags_shown",)}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[LedgerEntry], bool]:
        """Ids are found whenever they were, names within the chosen time."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return entries_found(everything=self.get_queryset(request), windowed=queryset, term=term), False

    @display("time")
    def time(self, entry: LedgerEntry) -> str:
        """When the call was admitted."""
        return moment_text(entry.at)

    @display("status", label=STATUS_COLOURS)
    def ended(self, entry: LedgerEntry) -> str:
        """How the call ended."""
        return entry.status

    @display("model asked → served")
    def models_named(self, entry: LedgerEntry) -> str:
        """The name that the caller used, and the one that answered if it was another."""
        if entry.model in ("", entry.model_asked):
            return entry.model_asked or "–"
        return f"{entry.model_asked or '–'} → {entry.model}"

    @display("tokens")
    def tokens(self, entry: LedgerEntry) -> str:
        """All tokens of the call, both ways."""
        known = {meter: count for meter, count in entry.meters.items() if meter in Usage.__struct_fields__}
        return f"{'≈ ' if entry.estimated else ''}{Usage(**known).tokens:,}"

    @display("cost")
    def cost(self, entry: LedgerEntry) -> str:
        """What the provider bills."""
        return dollars(entry.cost_nano)

    @display("charge")
    def charge(self, entry: LedgerEntry) -> str:
        """What the tenant pays."""
        return dollars(entry.charge_nano)

    @display("latency")
    def latency(self, entry: LedgerEntry) -> str:
        """From the request to the last byte."""
        return unbroken(f"{entry.latency_ms:,} ms")

    @display("first token after")
    def first_token(self, entry: LedgerEntry) -> str:
        """How long the caller waited for the answer to begin."""
        return "–" if entry.ttft_ms is None else f"{entry.ttft_ms:,} ms"

    @display("gateway's own time")
    def overhead(self, entry: LedgerEntry) -> str:
        """What the gateway itself took."""
        return f"{entry.overhead_us:,} µs"

    @display("counted")
    def counted(self, entry: LedgerEntry) -> str:
        """Where the units come from."""
        if entry.corrects is not None and not entry.meters:
            return "not at all: it mends what was booked"
        return "estimated here" if entry.estimated else "as the provider reported"

    @display("lines")
    def lines_shown(self, entry: LedgerEntry) -> SafeString:
        """What the entry is made of."""
        return lines_table(entry)

    @display("attempts")
    def attempts_shown(self, entry: LedgerEntry) -> SafeString | str:
        """Where the call was tried."""
        return attempts_table(entry)

    @display("tags")
    def tags_shown(self, entry: LedgerEntry) -> SafeString | str:
        """What the caller marked the call with."""
        return tags_table(entry)

    @display("corrections")
    def corrections_shown(self, entry: LedgerEntry) -> SafeString | str:
        """How the entry was mended, or what it mends."""
        return corrections_table(entry)
