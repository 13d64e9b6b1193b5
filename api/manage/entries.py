"""The ledger, to read."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.manage.fields import actor_of, row_find, uuid_read
from api.manage.views import RowsView
from gateway.errors import InvalidRequest
from tenants.models import Tenant
from tenants.money import NANO, text_of
from usage.entries import Asked, entries_page
from usage.models import LedgerEntry
from usage.rendering import entry_fields

_USUAL_WINDOW = timedelta(hours=24)
_LONGEST_TEXT = 200
PARAMETERS = ("tenant", "key", "request_id", "model", "status", "since", "until")


class EntrySerializer(serializers.BaseSerializer[LedgerEntry]):
    """An entry under the same names as everywhere, with its money in dollars beside the integers."""

    def to_representation(self, instance: LedgerEntry) -> dict[str, Any]:
        """All of it but the person, who is a surrogate."""
        return {
            **entry_fields(instance),
            "cost_usd": text_of(instance.cost_nano, NANO, least_digits=2),
            "charge_usd": text_of(instance.charge_nano, NANO, least_digits=2),
        }


class EntriesView(RowsView):
    """One row for every admitted call, newest first: the last 24 hours unless `since` says otherwise."""

    noun = "entries"
    queryset = LedgerEntry.objects.all()
    serializer_class = EntrySerializer
    tenant_paths = ("tenant_id",)

    def list(self, request: Request) -> Response:
        """A page of entries; `since` is fixed on the first page, so that the window does not slide."""
        self.check_parameters(PARAMETERS)
        until = self._moment("until")
        since = self._moment("since") or (until or timezone.now()) - _USUAL_WINDOW
        asked = Asked(
            tenants=self._tenants(),
            key=self._key(),
            request_id=self._text("request_id"),
            model=self._text("model"),
            status=self._status(),
            since=since,
            until=until,
            after=self.cursor(),
        )
        page = entries_page(asked=asked, limit=self.limit())
        data = self.get_serializer(page.entries, many=True).data
        return self.page(data, page.following, since=since.isoformat())

    def _tenants(self) -> frozenset[Any] | None:
        """Whose entries: those within reach, or the one of them that is named."""
        reach = actor_of(self.request).reach(self.noun)
        text = self.request.query_params.get("tenant")
        if text is None:
            return reach
        tenant = uuid_read(text)
        if tenant is None:
            row = row_find(Tenant.objects.all(), ("name",), text)
            tenant = row.pk if row is not None else None
        if tenant is None or (reach is not None and tenant not in reach):
            return frozenset()
        return frozenset({tenant})

    def _key(self) -> Any:
        text = self.request.query_params.get("key")
        identifier = None if text is None else uuid_read(text)
        if text is not None and identifier is None:
            raise InvalidRequest("Write the key's id.", param="key")
        return identifier

    def _text(self, name: str) -> str:
        return self.request.query_params.get(name, "")[:_LONGEST_TEXT].replace("\x00", "")

    def _status(self) -> str:
        status = self._text("status")
        if status and status not in LedgerEntry.Status:
            raise InvalidRequest(f"Write one of {', '.join(LedgerEntry.Status)}.", param="status")
        return status

    def _moment(self, name: str) -> datetime | None:
        text = self.request.query_params.get(name)
        if text is None:
            return None
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise InvalidRequest("Write a moment with its zone, such as 2026-01-31T12:00:00Z.", param=name)
        return moment
