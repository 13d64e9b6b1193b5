"""The inference doors as views: the lane is asked with a pass of the tenant that pays, and its answer shown.

1. the person is identified by their session, and by a CSRF token where they send something
2. the tenant that pays is found; a pass is issued for it
3. the lane is asked what was asked here, and answers as it always does: limits, budgets, ledger and all
4. what comes back goes to scripts as it is, streams as they come, and into the page for browsers
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import msgspec
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from api.asgi import Scope
from api.dialect import Dialect
from api.doors import Inference
from api.manage.fields import actor_of
from api.schema.samples import FORM
from api.schema.sheets import sheet_of
from api.trying.base import GatewayNotRunning, PersonsView
from api.trying.forms import TOKEN_FIELD, without_field
from api.trying.inside import INSIDE, CallerLeft, Errand, Head, Inside
from api.trying.pages import Shown
from api.trying.payer import payer_find, payers_listed
from gateway.errors import UnknownDoor
from tenants.passes import pass_issue

SHOWN_AT_MOST = 256 * 1024
"""Bytes of an answer that a page shows."""

_KEPT_BACK = frozenset(
    {
        *("authorization", "x-api-key", "api-key", "x-tenant-id"),  # a pass stands in their place
        *("cookie", "x-csrftoken", "origin", "referer"),  # were for this view, which has judged them
        *("accept", "accept-encoding", "connection", "transfer-encoding", "content-length"),
    }
)
_NOBODY_THERE = 499
"""As servers note who left; nobody reads it."""
_OF_THE_LINE = frozenset({"content-length", "connection"})


class TryView(PersonsView):
    """Try this door as yourself: a tenant of yours pays, and all its limits hold. No key is needed."""

    http_method_names = ("get", "head", "post")

    door: ClassVar[Inference] = cast(Inference, None)
    path: ClassVar[str] = ""
    sent: bytes | None = None
    """What a person sent just now."""

    def get_view_name(self) -> str:
        """The door."""
        return f"POST {self.path}"

    def dialect(self) -> Dialect:
        """The door's."""
        return self.door.dialect

    @property
    def takes_form(self) -> bool:
        """Whether it takes files."""
        return self.door.form

    @property
    def media(self) -> str:
        """What its bodies are."""
        return "multipart/form-data" if self.door.form else "application/json"

    def sent_text(self) -> str:
        """What the page has in its form."""
        example = sheet_of(self.path, self.door).example
        if self.door.form:
            return example.decode()
        if self.sent is not None:
            return self.sent.decode("utf-8", "replace")
        return msgspec.json.format(example, indent=2).decode()

    def get(self, request: Request) -> Response:
        """What the door is asked with, and who could pay."""
        example = sheet_of(self.path, self.door).example
        told = {
            "door": self.path,
            "media": FORM if self.door.form else self.media,
            "example": example.decode() if self.door.form else msgspec.Raw(example),
            "tenants": payers_listed(actor_of(request)),
        }
        return Response(told)

    def post(self, request: Request) -> HttpResponseBase:
        """Ask the door."""
        inside = _inside(request)
        payer = payer_find(actor_of(request), _tenant_name(request))
        body = request._request.body
        media = request.headers.get("Content-Type", "")
        if self.door.form:
            body = without_field(body, media, TOKEN_FIELD)
        self.sent = body
        headers = _headers(request, body, pass_issue(tenant=payer.id, by=payer.by))
        errand = inside.errand(_scope(request, self.path, headers), body)
        try:
            head = inside.wait_for(errand.begin())
        except CallerLeft:
            return HttpResponse(status=_NOBODY_THERE)
        if request.accepted_renderer.format == "api":
            return self._page(inside, errand, head)
        return _answer(inside, errand, head)

    def _page(self, inside: Inside, errand: Errand, head: Head) -> Response:
        body, is_all = inside.wait_for(errand.whole(SHOWN_AT_MOST))
        media = head.headers.get("content-type", "")
        return Response(Shown(body, media, is_all), status=head.status, headers=_shown(head.headers))


class NoDoor(TryView):
    """An address below the root where there is no door."""

    def initial(self, request: Request, *arguments: Any, **options: Any) -> None:
        """There is nothing."""
        super().initial(request, *arguments, **options)
        raise UnknownDoor


def _inside(request: Request) -> Inside:
    scope: Mapping[str, Any] = getattr(request._request, "scope", {})
    inside = scope.get(INSIDE)
    if not isinstance(inside, Inside):
        raise GatewayNotRunning
    return inside


def _tenant_name(request: Request) -> str:
    return str(request.query_params.get("tenant") or request.headers.get("X-Tenant-ID", "")).strip()


def _headers(request: Request, body: bytes, credential: str) -> list[tuple[bytes, bytes]]:
    passed = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
        if name.lower() not in _KEPT_BACK
    ]
    own = {b"authorization": f"Bearer {credential}".encode(), b"content-length": b"%d" % len(body)}
    return [*passed, *own.items()]


def _scope(request: Request, path: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": (request.META.get("REMOTE_ADDR", ""), 0),
    }


def _answer(inside: Inside, errand: Errand, head: Head) -> HttpResponseBase:
    """The lane's answer: a stream on its way, anything else whole."""
    headers = {name: value for name, value in head.headers.items() if name not in _OF_THE_LINE}
    headers["cache-control"] = "no-store"
    if head.headers.get("content-type", "").startswith("text/event-stream"):
        return StreamingHttpResponse(errand.pieces(), status=head.status, headers=headers)
    body, _ = inside.wait_for(errand.whole(2**62))
    return HttpResponse(body, status=head.status, headers=headers)


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """The head that a page is told of; its own length and type are others."""
    return {name: value for name, value in headers.items() if name not in {*_OF_THE_LINE, "content-type"}}
