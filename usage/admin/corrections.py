"""Corrections, to read: who had which entry mended, by how much, and why."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.money import dollars
from tenants.scoping import is_operator
from tenants.unfolded import display
from usage.admin.reading import ReadOnlyAdmin, moment_text
from usage.admin.tables import entry_link
from usage.models import Correction

_TOLD = ("asked", "tenant", "kind", "cost", "charge", "state", "reason")


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin[Correction]):
    """What was asked for on the pages of entries, and by `manage.py correct`."""

    list_display = _TOLD
    list_filter = ("kind",)
    search_fields = ("tenant__startswith",)
    search_help_text = "Tenant"
    tenant_paths = ("tenant_id",)
    empty_text = "No entry was mended. To mend one, open it in the ledger."
    readonly_fields = ("asked", "cost", "charge", "state", "mended", "mending")

    def get_fields(self, request: HttpRequest, obj: Correction | None = None) -> tuple[str, ...]:
        """Who asked is for operators to know."""
        by = ("created_by",) if is_operator(request) else ()
        return (*_TOLD, "mended", "mending", *by)

    @display("asked for")
    def asked(self, correction: Correction) -> SafeString:
        """When somebody wanted it; a long reason beside it may not break it in two."""
        return format_html('<span class="whitespace-nowrap">{}</span>', moment_text(correction.created_at))

    @display("cost")
    def cost(self, correction: Correction) -> str:
        """What is added to what the provider bills."""
        return dollars(correction.cost_nano)

    @display("charge")
    def charge(self, correction: Correction) -> str:
        """What is added to what the tenant pays."""
        return dollars(correction.charge_nano)

    @display("state", label={"pending": "warning", "booked": "success"})
    def state(self, correction: Correction) -> str:
        """Whether the books have the mending entry."""
        return "booked" if correction.applied_at else "pending"

    @display("entry")
    def mended(self, correction: Correction) -> SafeString:
        """What was wrong."""
        return entry_link(correction.entry_id)

    @display("mended by")
    def mending(self, correction: Correction) -> SafeString | str:
        """What puts it right, as soon as it is there."""
        return (
            entry_link(correction.correcting_id) if correction.applied_at else str(correction.correcting_id)
        )
