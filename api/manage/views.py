"""What all addresses have in common: lists by keyset, rows by id or name, and PUT where rows have names."""

from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from api.manage.errors import NothingThere
from api.manage.fields import actor_of, row_find, rows_within, uuid_read
from api.manage.rows import RowSerializer
from gateway.errors import Forbidden, InvalidRequest

_MOST_ROWS = 200
_USUAL_ROWS = 50
_PAGING = ("after", "limit", "format")
_ASKED = {
    "list": ("read",),
    "retrieve": ("read",),
    "create": ("add",),
    "place": ("add", "change"),
    "change": ("change",),
    "remove": ("delete",),
    "rotate": ("rotate",),
    "revoke": ("revoke",),
    "end": ("end",),
    "breaker": ("breaker",),
    "explain": ("read",),
}


class ManageView(APIView):
    """What holds for every address below the root."""

    known = False
    """Whether it was found out who asks."""

    def initialize_request(self, request: HttpRequest, *arguments: Any, **options: Any) -> Request:
        """A body that comes in chunks is read to its end like any other."""
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            request.META["CONTENT_LENGTH"] = "-1"
        return super().initialize_request(request, *arguments, **options)

    def perform_authentication(self, request: Request) -> None:
        """Note who it is, for the way that errors are shown."""
        super().perform_authentication(request)
        self.known = request.auth is not None

    def finalize_response(self, request: Request, response: Any, *arguments: Any, **options: Any) -> Response:
        """Strangers get no pages."""
        if not self.known:
            renderers = {renderer.format: renderer for renderer in self.get_renderers()}
            request.accepted_renderer = renderers["json"]
            request.accepted_media_type = renderers["json"].media_type
        return super().finalize_response(request, response, *arguments, **options)


class RowsView(ManageView, GenericViewSet[Any]):
    """The rows of one noun, as far as the actor may know of them."""

    noun: ClassVar[str]
    tenant_paths: ClassVar[tuple[str, ...]] = ()
    """Lookups from a row to its tenant, as in the admin."""

    address: ClassVar[dict[str, str]] = {}
    """The fields whose values name a row in its address, with their lookups; none are for ids only."""

    filters: ClassVar[dict[str, str]] = {}
    """Query parameters that hold a tenant's name or id or a plain id, with the column that they bound."""

    texts: ClassVar[tuple[str, ...]] = ()
    """Query parameters that a column has to equal."""

    deed = ""
    """What a write does to its row, in the words of the table."""

    def actions_asked(self) -> tuple[str, ...]:
        """What of the table this request needs, one of them being enough to be let in."""
        return _ASKED.get(self.action or "", ())

    def get_queryset(self) -> QuerySet[Any]:
        """The rows that the actor may know of."""
        rows = super().get_queryset()
        return rows_within(rows, actor=actor_of(self.request), noun=self.noun, paths=self.tenant_paths)

    def get_object(self) -> Any:
        """The row of the address; what is another's is as unknown as what is not there."""
        row = row_find(self.get_queryset(), tuple(self.address.values()), str(self.kwargs["ref"]))
        if row is None:
            raise NothingThere
        return row

    def list(self, request: Request) -> Response:
        """A page of rows in the order in which they were made."""
        self.check_parameters((*self.filters, *self.texts))
        rows = self.filtered(self.get_queryset())
        after, limit = self.cursor(), self.limit()
        if after is not None:
            rows = rows.filter(pk__gt=after)
        page = list(rows.order_by("pk")[: limit + 1])
        following = page[limit - 1].pk if len(page) > limit else None
        return self.page(self.get_serializer(page[:limit], many=True).data, following)

    def page(self, data: Any, following: Any, **pinned: str) -> Response:
        """The rows, and where the next ones are."""
        query = {**self.request.query_params.dict(), **pinned, "after": following}
        path = f"{self.request.path}?{urlencode(query)}"
        return Response({"data": data, "next": None if following is None else path})

    def retrieve(self, request: Request, **_: Any) -> Response:
        """One row."""
        self.check_parameters(())
        return Response(self.get_serializer(self.get_object()).data)

    def create(self, request: Request) -> Response:
        """A new row."""
        return self.stored("add", self.get_serializer(data=request.data), status.HTTP_201_CREATED)

    def place(self, request: Request, **_: Any) -> Response:
        """The row of the address, changed or made; what the body leaves out stays, or has its default."""
        try:
            row = self.get_object()
        except NothingThere:
            if not actor_of(request).may_somewhere(self.noun, "add"):
                raise  # nor does validation tell which of others' names are taken
            named = self._named(request.data)
            return self.stored("add", self.get_serializer(data=named), status.HTTP_201_CREATED)
        data: Any = request.data if uuid_read(str(self.kwargs["ref"])) else self._named(request.data)
        return self.stored("change", self.get_serializer(row, data=data, partial=True))

    def change(self, request: Request, **_: Any) -> Response:
        """Some fields of a row."""
        row = self.get_object()
        return self.stored("change", self.get_serializer(row, data=request.data, partial=True))

    def remove(self, request: Request, **_: Any) -> Response:
        """The row is no more."""
        row = self.get_object()
        self.check_row("delete", row)
        with transaction.atomic():
            self.delete_row(row)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def delete_row(self, row: Any) -> None:
        """How a row goes."""
        row.delete()

    def stored(self, action: str, serializer: Any, code: int = status.HTTP_200_OK) -> Response:
        """Check the body and the right to do what it says, and do it."""
        self.check_parameters(())
        self.deed = action
        with transaction.atomic():
            serializer.is_valid(raise_exception=True)
            serializer.save()
        return Response(self.told(serializer), status=code)

    def told(self, serializer: RowSerializer[Any]) -> Any:
        """What is answered of a row that was stored: as it is in the table now."""
        row = self.get_queryset().filter(pk=serializer.instance.pk).first()  # type: ignore[union-attr]
        return self.get_serializer(row or serializer.instance).data

    def check_row(self, action: str, row: Any) -> None:
        """Refuse what the actor's roles do not allow within the row's own tenant."""
        if not actor_of(self.request).may(self.noun, action, self.tenant_of(row)):
            raise Forbidden("Your role does not allow that here.")

    def tenant_of(self, row: Any) -> UUID | None:
        """The tenant that a row belongs to; None for a row of the platform."""
        for path in self.tenant_paths:
            value = row
            for step in path.split("__"):
                value = None if value is None else getattr(value, step)
            if value is not None:
                return UUID(str(value.pk if isinstance(value, Model) else value))
        return None

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that the query parameters ask for."""
        for name in (*self.filters, *self.texts):
            text = self.request.query_params.get(name)
            if text is None:
                continue
            if "\x00" in text:
                raise InvalidRequest("No name has such a character.", param=name)
            column, identifier = self.filters.get(name), uuid_read(text)
            if column is None:
                rows = rows.filter(**{name: text})
            else:
                rows = rows.filter(**{column: identifier} if identifier else {f"{column}__name": text})
        return rows

    def cursor(self) -> Any:
        """After which row the page begins."""
        text = self.request.query_params.get("after")
        if text is None:
            return None
        identifier = uuid_read(text)
        if identifier is None:
            raise InvalidRequest("Write the id of the last row of the page before.", param="after")
        return identifier

    def limit(self) -> int:
        """How many rows a page has."""
        text = self.request.query_params.get("limit", str(_USUAL_ROWS))
        if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= _MOST_ROWS:
            raise InvalidRequest(f"Write a number from 1 to {_MOST_ROWS}.", param="limit")
        return int(text)

    def check_parameters(self, known: tuple[str, ...]) -> None:
        """Refuse parameters that nobody reads: a misspelt filter would let everything through in silence."""
        strange = set(self.request.query_params) - {*known, *_PAGING}
        if strange:
            raise InvalidRequest("There is no such parameter.", param=min(strange))

    def _named(self, body: Any) -> dict[str, Any]:
        """The body, with the names that its address has."""
        text = str(self.kwargs["ref"])
        names = text.split("/", len(self.address) - 1) if self.address else []
        if uuid_read(text) is not None or len(names) != len(self.address) or not names:
            raise NothingThere
        named = dict(zip(self.address, names, strict=True))
        moved = [field for field, name in named.items() if body.get(field, name) != name]
        if moved:
            raise ValidationError({field: ["The address says otherwise."] for field in moved})
        return {**body, **named}
