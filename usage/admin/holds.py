"""Calls in flight, as far as the embedded books hold them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gateway.ids import moment_of
from gateway.tally import Held
from tenants.money import dollars
from tenants.unfolded import display
from usage.admin.reading import ReadOnlyAdmin, moment_at, moment_text
from usage.books.mirror import read_held
from usage.models import Hold

_TOLD = ("since", "tenant", "key", "model_asked", "held", "tokens_held", "lease")


def _held(hold: Hold) -> Held:
    return read_held(bytes(hold.record), hold.lease_until_ms)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    """What calls under way may still spend; operators only, since a hold is not a row of one tenant's."""

    list_display = _TOLD
    list_display_links = None
    empty_text = "No call is under way. With Redis, holds are kept there and are not listed here."
    fieldsets = ((None, {"fields": (*_TOLD, "call_id")}),)
    readonly_fields = _TOLD

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        """The open ones: what is swept or closed is in the ledger, or on its way there."""
        return super().get_queryset(request).filter(state=Hold.State.OPEN)

    @display("since")
    def since(self, hold: Hold) -> str:
        """When the call was admitted."""
        return moment_text(moment_at(moment_of(hold.call_id)))

    @display("tenant")
    def tenant(self, hold: Hold) -> str:
        """Whose call it is."""
        return _held(hold).skeleton.tenant

    @display("key")
    def key(self, hold: Hold) -> str:
        """The key that it was made with."""
        return _held(hold).skeleton.key or "–"

    @display("model asked")
    def model_asked(self, hold: Hold) -> str:
        """What was asked for."""
        return _held(hold).skeleton.model_asked or "–"

    @display("held")
    def held(self, hold: Hold) -> str:
        """The most that it may be charged."""
        return dollars(_held(hold).amounts.nano)

    @display("tokens held")
    def tokens_held(self, hold: Hold) -> str:
        """The most tokens that it may use."""
        return f"{_held(hold).amounts.tokens:,}"

    @display("lease ends")
    def lease(self, hold: Hold) -> str:
        """When the hold is booked at its bound, unless the call is heard of before."""
        seconds = (moment_at(hold.lease_until_ms) - timezone.now()).total_seconds()
        return f"in {seconds:.0f} s" if seconds > 0 else "over: about to be booked at its bound"
